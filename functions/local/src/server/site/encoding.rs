//! Which copy of a file a client can read (RFC 9110 section 12.5.3).

use http::{HeaderMap, header};

/// The forms that a file is kept in, smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Gzip,
    Plain,
}

/// The best of what there is and what the client takes. What it weighs higher than nothing it takes: the smallest is best for both.
pub(super) fn best(headers: &HeaderMap, has_brotli: bool, has_gzip: bool) -> Coding {
    let given = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    let weights: Vec<(&str, bool)> = given.flat_map(|value| value.split(',')).map(weight).collect();
    let takes = |name: &str| {
        let of = |name: &str| {
            weights.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, takes)| *takes)
        };
        of(name).or_else(|| of("*")).unwrap_or(false)
    };
    if has_brotli && takes("br") {
        Coding::Brotli
    } else if has_gzip && takes("gzip") {
        Coding::Gzip
    } else {
        Coding::Plain
    }
}

/// A coding, and whether it is taken: `q=0`, in all its spellings, says that it is not. So does what is no weight.
fn weight(part: &str) -> (&str, bool) {
    let mut parts = part.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weights = parts.filter_map(|part| part.split_once('='));
    let mut weights = weights.filter(|(key, _)| key.trim().eq_ignore_ascii_case("q"));
    let takes = weights.next().is_none_or(|(_, value)| value.trim().parse::<f32>().is_ok_and(|q| q > 0.0));
    (name, takes)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_client_gets_the_smallest_copy_that_it_takes() {
        for (given, expected) in [
            ("gzip, deflate, br, zstd", Coding::Brotli),
            ("gzip;q=1.0, br;q=0.1", Coding::Brotli),
            ("BR", Coding::Brotli),
            ("gzip, br;q=0", Coding::Gzip),
            ("gzip, br; q=0.000", Coding::Gzip),
            ("br;q=0, gzip;q=0", Coding::Plain),
            ("*", Coding::Brotli),
            ("*, br;q=0", Coding::Gzip),
            ("*;q=0, gzip", Coding::Gzip),
            ("*;q=0", Coding::Plain),
            ("br;q=much", Coding::Plain),
            ("identity", Coding::Plain),
            ("deflate", Coding::Plain),
            ("brotli, bro", Coding::Plain),
            ("", Coding::Plain),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(given))]);
            assert_eq!(best(&headers, true, true), expected, "{given}");
        }
        assert_eq!(best(&HeaderMap::new(), true, true), Coding::Plain);
        let both = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static("br, gzip"))]);
        assert_eq!(best(&both, false, true), Coding::Gzip);
        assert_eq!(best(&both, false, false), Coding::Plain);
    }
}
