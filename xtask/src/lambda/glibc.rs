//! Which C library a binary needs. It is read from the names of the symbol versions, `GLIBC_2.34`, which stand in the binary
//! as text.

/// A version of the C library, as in `GLIBC_2.34`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32);

/// What Amazon Linux 2023 has.
pub(crate) const AMAZON_LINUX_2023: Version = Version(2, 34);

const MARK: &[u8] = b"GLIBC_";

/// The newest version that the binary names; `None` if it names none (it is linked statically).
pub(crate) fn newest(binary: &[u8]) -> Option<Version> {
    binary
        .windows(MARK.len())
        .enumerate()
        .filter(|(_, window)| *window == MARK)
        .filter_map(|(at, _)| version(binary.get(at + MARK.len()..)?))
        .max()
}

/// `2.34` with a zero byte after it, perhaps with a third number.
fn version(text: &[u8]) -> Option<Version> {
    let end = text.iter().position(|byte| *byte == 0)?;
    let mut numbers = std::str::from_utf8(text.get(..end)?).ok()?.split('.');
    Some(Version(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_named_version_counts() {
        assert_eq!(newest(b"\0GLIBC_2.9\0puts\0GLIBC_2.34\0GLIBC_2.2.5\0"), Some(Version(2, 34)));
        assert_eq!(newest(b"a text about GLIBC_ and GLIBC_x\0"), None);
        assert_eq!(newest(b""), None);
        assert!(Version(2, 36) > AMAZON_LINUX_2023 && Version(2, 9) < AMAZON_LINUX_2023);
    }

    #[test]
    fn this_test_needs_one() {
        let myself = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(newest(&myself).is_some_and(|version| version >= Version(2, 2)));
    }
}
