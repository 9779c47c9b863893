//! The sections of a module (WebAssembly core specification 2.0, 5.5).

use crate::Result;

const HEADER: usize = 8;
const CUSTOM: u8 = 0;

/// Leaves out names and notes, which no browser needs to run a module.
pub(crate) fn without_custom(module: &[u8]) -> Result<Vec<u8>> {
    let cut = "the module ends in the middle of a section";
    let (header, mut rest) = module.split_at_checked(HEADER).ok_or(cut)?;
    let mut kept = header.to_vec();
    while let Some((kind, after)) = rest.split_first() {
        let (size, digits) = number(after).ok_or(cut)?;
        let (section, others) = rest.split_at_checked(1 + digits + size).ok_or(cut)?;
        if *kind != CUSTOM {
            kept.extend_from_slice(section);
        }
        rest = others;
    }
    Ok(kept)
}

/// An unsigned LEB128 number of 32 bits, and how many bytes it takes.
fn number(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_sections_go_and_the_others_stay() {
        let header = b"\0asm\x01\0\0\0".to_vec();
        let (name, types, code) =
            (b"\0\x05\x04name".to_vec(), b"\x01\x81\0\0".to_vec(), b"\x0a\x02ab".to_vec());
        let module = [header.clone(), name.clone(), types.clone(), name, code.clone()].concat();
        assert_eq!(without_custom(&module).unwrap(), [header, types, code].concat());
    }

    #[test]
    fn a_module_that_is_cut_off_is_an_error() {
        assert!(without_custom(b"\0asm").is_err());
        assert!(without_custom(b"\0asm\x01\0\0\0\x01\x05ab").is_err());
        assert!(without_custom(b"\0asm\x01\0\0\0\x01\xff\xff").is_err());
    }
}
