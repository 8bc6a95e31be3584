//! The series that never change: what only the policy knows, the baselines, and what only the user knows, the prices.

use std::fmt::Write as _;
use std::str::FromStr;

use anyhow::bail;
use engine::policy::Split;
use policy_text::source::scalar;

use crate::template::is_decimal;

/// What a variant costs per hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Price {
    split: String,
    variant: String,
    /// As written: it goes into the rules unchanged.
    price: String,
}

impl FromStr for Price {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a price, such as `checkout/canary=2.40`");
        let (of, price) = text.split_once('=').ok_or_else(wrong)?;
        let (split, variant) = of.split_once('/').ok_or_else(wrong)?;
        if !is_decimal(price) {
            return Err(wrong());
        }
        let [split, variant, price] = [split, variant, price].map(str::to_owned);
        Ok(Self { split, variant, price })
    }
}

/// The constant series: baselines and prices.
pub(super) fn known(splits: &[&Split], prices: &[Price]) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut constant = |record: &str, value: &str, split: &str, variant: &str| {
        let (split, variant) = (scalar(split), scalar(variant));
        let _in_memory = write!(
            text,
            "
  - record: {record}
    expr: vector({value})
    labels: {{split: {split}, variant: {variant}}}"
        );
    };
    for split in splits {
        let baseline = &split.variants[split.baseline];
        constant("traffic_split:baseline", "1", &split.name, &baseline.name);
    }
    for Price { split, variant, price } in prices {
        let exists = splits
            .iter()
            .any(|s| s.name == *split && s.variants.iter().any(|v| v.name == *variant));
        if !exists {
            bail!("`--price {split}/{variant}`: the policy has no such variant");
        }
        constant("traffic_split:price_per_hour", price, split, variant);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_of_a_variant_and_a_plain_number() {
        for wrong in ["a=1", "a/b", "a/b=x", "a/b=1e9"] {
            assert!(wrong.parse::<Price>().is_err(), "{wrong}");
        }
        let price: Price = "checkout/canary=2.40".parse().unwrap();
        assert_eq!(price.price, "2.40", "as written");
    }
}
