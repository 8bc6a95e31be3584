//! Replacing a file at once, so that nobody ever reads half of it.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes beside the file and renames. An existing file's permissions stay, a new one has the usual ones.
///
/// # Errors
/// When it cannot be written.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    let cannot = || format!("cannot write `{}`", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut beside = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .with_context(cannot)?;
    beside.write_all(text.as_bytes()).with_context(cannot)?;
    if let Ok(existing) = std::fs::metadata(path) {
        beside.as_file().set_permissions(existing.permissions()).with_context(cannot)?;
    }
    beside.persist(path).with_context(cannot)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_stays_as_readable_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        replace(&path, "one").unwrap();
        std::fs::write(folder.path().join("b"), "").unwrap();
        let usual = std::fs::metadata(folder.path().join("b")).unwrap().permissions().mode();
        assert_eq!(mode(), usual & 0o777);
        std::fs::set_permissions(&path, Permissions::from_mode(0o604)).unwrap();
        replace(&path, "two").unwrap();
        assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), mode()), ("two", 0o604));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        let nowhere = replace(&folder.path().join("no/a"), "").unwrap_err().to_string();
        assert!(nowhere.starts_with("cannot write `") && nowhere.ends_with("/no/a`"), "{nowhere}");
    }
}
