//! Closed lists of stable words.

/// Declares an enum of which each value has its word: in JSON, in metrics, in logs.
macro_rules! words {
    ($(#[$of_all:meta])* $list:ident { $($(#[$of_one:meta])* $value:ident = $word:literal,)* }) => {
        $(#[$of_all])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $list {
            $($(#[$of_one])* $value,)*
        }

        impl $list {
            /// Every value, in the order of their places.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$value),*];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$value => $word,)* }
            }
        }
    };
}

pub(crate) use words;
