//! Secrets and other input: from a file or from standard input, never from the command line, where the shell's history
//! and every process of the machine would see it.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal as _, Read as _, Write as _},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use alter_domain::{
    api::SecretText,
    auth::key_text::{self, KeyKind},
    secret::Secret,
};
use zeroize::Zeroizing;

use super::{
    error::{CliError, Result},
    output::Printer,
};

/// The most that is read as a secret, in bytes.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Where a value comes from: `@FILE`, or `-` for standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    File(PathBuf),
    Stdin,
}

impl Source {
    /// Refuses a literal value, and never repeats it.
    pub(crate) fn parse(option: &str, text: &str) -> Result<Self> {
        match text.strip_prefix('@') {
            Some("") | None if text != "-" => Err(CliError::usage(format!(
                "{option} takes @FILE, or - for standard input. A secret on the command line would be kept in the \
                 shell's history and shown in the list of processes."
            ))
            .hint(format!("For example: {option} @secret.txt, or: pass show acme | alter … {option} -"))),
            Some(path) => Ok(Self::File(path.into())),
            None => Ok(Self::Stdin),
        }
    }

    fn name(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::Stdin => "standard input".to_owned(),
        }
    }

    /// Reads a secret: text, without the line break at its end.
    pub(crate) fn secret(&self, printer: &Printer, prompt: &str) -> Result<Secret<String>> {
        let bytes = match self {
            Source::Stdin if io::stdin().is_terminal() => return ask(prompt),
            Source::Stdin => read_limited(io::stdin().lock()),
            Source::File(path) => open_private(path, printer).and_then(read_limited),
        };
        let mut bytes = bytes.map_err(|error| CliError::file("Cannot read", &self.name(), &error))?;
        let text = std::mem::take(&mut *bytes);
        let text =
            text_of(text).ok_or_else(|| CliError::usage(format!("{} is not UTF-8 text.", self.name())))?;
        if text.expose_secret().is_empty() {
            return Err(CliError::usage(format!("There is nothing in {}.", self.name())));
        }
        Ok(text)
    }
}

/// Reads what is no secret, such as the body of a call. `-` is standard input, `@FILE` a file, anything else itself.
pub(crate) fn data(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = match (text, text.strip_prefix('@')) {
        ("-", _) => io::stdin().lock().read_to_end(&mut bytes),
        (_, Some(path)) => File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
        (_, None) => return Ok(text.as_bytes().to_vec()),
    };
    read.map_err(|error| CliError::file("Cannot read", text, &error))?;
    Ok(bytes)
}

/// Reads an API key or an operator's token from a file, or from standard input when the name is `-`.
pub(crate) fn key_file(
    path: &Path,
    kinds: &[KeyKind],
    what: &str,
    printer: &Printer,
) -> Result<Secret<String>> {
    let source = if path == Path::new("-") { Source::Stdin } else { Source::File(path.to_owned()) };
    let key = source.secret(printer, what)?;
    check_key(&key, kinds, what, &source.name())?;
    Ok(key)
}

/// Reads a user's token from a file, or from standard input when the name is `-`.
pub(crate) fn user_token_file(path: &Path, printer: &Printer) -> Result<Secret<String>> {
    let source = if path == Path::new("-") { Source::Stdin } else { Source::File(path.to_owned()) };
    let token = source.secret(printer, "User's token")?;
    // Anything else is not sent to anybody: it may be another secret.
    let parts: Vec<&str> = token.expose_secret().split('.').collect();
    let is_text =
        |part: &&str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if parts.len() == 3 && parts.iter().all(|part| !part.is_empty()) && parts.iter().all(is_text) {
        return Ok(token);
    }
    let message = format!("There is no JWT in {}.", source.name());
    Err(CliError::new(super::error::Exit::Auth, "invalid_token_file", message))
}

/// Finds a mistyped or truncated key before it is sent to anybody.
pub(crate) fn check_key(key: &Secret<String>, kinds: &[KeyKind], what: &str, from: &str) -> Result<()> {
    match key_text::parse(key.expose_secret()) {
        Some(parsed) if kinds.contains(&parsed.kind) => Ok(()),
        _ => Err(CliError::new(
            super::error::Exit::Auth,
            "invalid_key_file",
            format!("There is no {what} in {from}."),
        )
        .hint(format!(
            "It should hold one line that begins with {}.",
            kinds.first().map_or("", |kind| kind.prefix())
        ))),
    }
}

/// A file for a fresh secret: made before the secret is, so that a secret is never lost for want of a place.
pub(crate) struct SaveFile {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl SaveFile {
    /// A new file that only its owner can read; one that is there already is never overwritten.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
                let shown = path.display().to_string();
                match error.kind() {
                    io::ErrorKind::AlreadyExists => {
                        CliError::usage(format!("{shown} exists already; it is not overwritten."))
                    }
                    _ => CliError::file("Cannot create", &shown, &error),
                }
            })?;
        Ok(Self { path: path.to_owned(), file, kept: false })
    }

    pub(crate) fn keep(mut self, secret: &Secret<String>) -> Result<PathBuf> {
        let text = Zeroizing::new(format!("{}\n", secret.expose_secret()));
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|error| CliError::file("Cannot write", &self.path.display().to_string(), &error))?;
        self.kept = true;
        Ok(self.path.clone())
    }
}

impl Drop for SaveFile {
    fn drop(&mut self) {
        if !self.kept {
            // An empty file that nothing was kept in; there is nobody to tell.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A secret for the wire.
pub(crate) fn on_the_wire(secret: &Secret<String>) -> SecretText {
    SecretText::new(secret.expose_secret().clone())
}

fn open_private(path: &Path, printer: &Printer) -> io::Result<File> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mode = metadata.permissions().mode() & 0o777;
    // Pipes and devices, as of `<(…)`, have modes of their own.
    if metadata.is_file() && mode & 0o077 != 0 && !metadata.file_type().is_fifo() {
        printer.warn(&format!(
            "{} can be read by others (mode {mode:03o}); chmod 600 keeps it to you.",
            path.display()
        ));
    }
    Ok(file)
}

/// Reads into a buffer that is cleared when dropped and never moved while it grows.
fn read_limited(from: impl io::Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES as usize + 1));
    from.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than 64 KiB"));
    }
    Ok(bytes)
}

fn text_of(bytes: Vec<u8>) -> Option<Secret<String>> {
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            return None;
        }
    };
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Some(Secret::new(text))
}

/// Asks for a secret on the terminal without showing it.
fn ask(prompt: &str) -> Result<Secret<String>> {
    let failed = |error: io::Error| CliError::file("Cannot read from", "the terminal", &error);
    let stdin = io::stdin();
    let before = rustix::termios::tcgetattr(&stdin).map_err(|error| failed(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(rustix::termios::LocalModes::ECHO);
    eprint!("{prompt} (not shown): ");
    rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Flush, &silent)
        .map_err(|error| failed(error.into()))?;
    let mut line = Zeroizing::new(String::with_capacity(8192));
    let read = stdin.read_line(&mut line);
    let restored = rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Flush, &before);
    eprintln!();
    read.and(restored.map_err(io::Error::from).map(|()| 0)).map_err(failed)?;
    text_of(std::mem::take(&mut *line).into_bytes())
        .ok_or_else(|| CliError::usage("The input is not UTF-8 text."))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{output::Format, terminal::Terminal},
        *,
    };

    #[test]
    fn a_literal_secret_is_refused_and_not_repeated() {
        for literal in ["hunter2-hunter2", "", "@"] {
            let error = Source::parse("--value", literal).unwrap_err();
            assert_eq!(error.exit as u8, 2);
            assert!(!format!("{error}{error:?}").contains("hunter2"), "{error}");
        }
        assert_eq!(Source::parse("--value", "@a b").unwrap(), Source::File("a b".into()));
        assert_eq!(Source::parse("--value", "-").unwrap(), Source::Stdin);
    }

    #[test]
    fn what_is_no_token_is_not_sent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let printer = Printer { format: Format::default(), fields: None, terminal: Terminal::default() };
        for (text, read) in
            [("eyJ0.e30.c2ln-_\n", true), ("alter_pat_x", false), ("a.b", false), ("a..c", false)]
        {
            SaveFile::create(&path).unwrap().keep(&Secret::new(text.trim_end().to_owned())).unwrap();
            assert_eq!(user_token_file(&path, &printer).is_ok(), read, "{text}");
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn one_line_break_at_the_end_is_not_part_of_a_secret() {
        let text = |bytes: &[u8]| text_of(bytes.to_vec()).map(|secret| secret.expose_secret().clone());
        assert_eq!(text(b"abc\n").as_deref(), Some("abc"));
        assert_eq!(text(b"abc\r\n").as_deref(), Some("abc"));
        assert_eq!(text(b"abc \n\n").as_deref(), Some("abc \n"));
        assert_eq!(text(b"\xff"), None);
    }

    #[test]
    fn a_saved_secret_is_private_and_overwrites_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        drop(SaveFile::create(&path).unwrap());
        assert!(!path.exists(), "nothing was kept, so nothing is left");
        SaveFile::create(&path).unwrap().keep(&Secret::new("abc".to_owned())).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "abc\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SaveFile::create(&path).err().unwrap().exit as u8, 2);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "abc\n");
    }
}
