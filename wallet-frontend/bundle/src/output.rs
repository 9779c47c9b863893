//! The folder of the site: files, their compressed copies, and the list of them.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Result;

/// The list, for servers and tests. Not a file of the site.
const LIST: &str = "manifest.json";
/// Below this a compressed copy saves no packet.
const WORTH_COMPRESSING: usize = 256;

pub(crate) struct Output {
    directory: PathBuf,
    /// Where the files are until all are there.
    work: PathBuf,
    is_dev: bool,
    files: Vec<Value>,
    /// What the first view takes over the wire, in bytes with brotli: module, scripts and styles.
    first_view: usize,
}

/// What a file is to the site.
#[derive(Clone, Copy)]
struct Part {
    is_hashed: bool,
    is_later: bool,
}

impl Output {
    /// Takes the place of what an earlier build left, when it is finished: what is being served stays whole until then.
    pub(crate) fn new(directory: &Path, is_dev: bool) -> Result<Self> {
        let directory = directory.to_path_buf();
        let work = directory.with_extension(format!("{}", std::process::id()));
        fs::create_dir_all(&work)?;
        Ok(Self { directory, work, is_dev, files: Vec::new(), first_view: 0 })
    }

    /// A file whose name changes with its content: `wallet-0123456789abcdef.js`. Returns the name.
    pub(crate) fn hashed(&mut self, stem: &str, extension: &str, content: &[u8]) -> Result<String> {
        let name = format!("{stem}-{}.{extension}", hash(content));
        self.add(&name, Part { is_hashed: true, is_later: false }, content)?;
        Ok(name)
    }

    /// The same for a file that the first view does without.
    pub(crate) fn later(&mut self, stem: &str, extension: &str, content: &[u8]) -> Result<String> {
        let name = format!("{stem}-{}.{extension}", hash(content));
        self.add(&name, Part { is_hashed: true, is_later: true }, content)?;
        Ok(name)
    }

    /// A file that is asked for by a name that everybody knows.
    pub(crate) fn plain(&mut self, name: &str, content: &[u8]) -> Result {
        self.add(name, Part { is_hashed: false, is_later: false }, content)
    }

    /// Writes the list and puts the folder in its place.
    pub(crate) fn finish(self) -> Result {
        let list = json!({ "first_view_brotli": self.first_view, "files": self.files });
        fs::write(self.work.join(LIST), format!("{list:#}\n"))?;
        if self.directory.exists() {
            fs::remove_dir_all(&self.directory)?;
        }
        Ok(fs::rename(self.work, self.directory)?)
    }

    fn add(&mut self, name: &str, part: Part, content: &[u8]) -> Result {
        fs::write(self.work.join(name), content)?;
        let mut entry =
            json!({ "name": name, "hashed": part.is_hashed, "later": part.is_later, "bytes": content.len() });
        let mut on_the_wire = content.len();
        if !self.is_dev && content.len() >= WORTH_COMPRESSING && !name.ends_with(".png") {
            let (brotli, gzip) = (brotli(content)?, gzip(content)?);
            on_the_wire = brotli.len();
            for (extension, compressed) in [("br", &brotli), ("gz", &gzip)] {
                fs::write(self.work.join(format!("{name}.{extension}")), compressed)?;
            }
            if let Some(entry) = entry.as_object_mut() {
                entry.insert("brotli".to_owned(), brotli.len().into());
                entry.insert("gzip".to_owned(), gzip.len().into());
            }
        }
        if !part.is_later && [".wasm", ".js", ".css"].iter().any(|extension| name.ends_with(extension)) {
            self.first_view += on_the_wire;
        }
        self.files.push(entry);
        Ok(())
    }
}

/// 64 bits of SHA-256: two builds of a file never share a name by chance.
fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// As small as it can be: it is done once, and sent often.
fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: content.len(),
        ..brotli::enc::BrotliEncoderParams::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

/// No time and no name in the header: the same bytes each time.
fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_compressed_is_what_was_given() {
        let content = b"the same words again and again, ".repeat(200);
        let (brotli, gzip) = (brotli(&content).unwrap(), gzip(&content).unwrap());
        assert!(brotli.len() < 100 && gzip.len() < 200);
        let mut back = Vec::new();
        brotli::BrotliDecompress(&mut &brotli[..], &mut back).unwrap();
        assert_eq!(back, content);
        back.clear();
        flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, content);
    }

    #[test]
    fn a_folder_has_only_what_this_build_made_and_the_list_says_what() {
        let directory = std::env::temp_dir().join(format!("wallet-bundle-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("wallet-old.js"), "old").unwrap();
        let mut output = Output::new(&directory, false).unwrap();
        let name = output.hashed("wallet", "css", &b"a { color: red }\n".repeat(50)).unwrap();
        let page = output.later("page", "wasm", &b"of another page ".repeat(50)).unwrap();
        output.plain("index.html", b"<p>").unwrap();
        output.finish().unwrap();
        let mut names: Vec<_> = fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let list: Value = serde_json::from_str(&fs::read_to_string(directory.join(LIST)).unwrap()).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        let with_copies = |name: &str| [name.to_owned(), format!("{name}.br"), format!("{name}.gz")];
        let (page, style) = (with_copies(&page), with_copies(&name));
        assert_eq!(names, [&["index.html".to_owned(), LIST.to_owned()][..], &page, &style].concat());
        assert_eq!(list["files"][0]["name"], name);
        assert_eq!(list["files"][0]["brotli"], list["first_view_brotli"]);
        assert_eq!((&list["files"][1]["later"], &list["files"][2]["hashed"]), (&true.into(), &false.into()));
    }
}
