//! By what a mail server knows who sends: from the environment or a file, never from the command line, where others can read it.

use std::path::Path;

use crate::fault::{Error, Result};
use crate::notify::smtp::Login;

const USER: &str = "COLDTRAIL_SMTP_USER";
const PASSWORD: &str = "COLDTRAIL_SMTP_PASSWORD";
const TOKEN: &str = "COLDTRAIL_SMTP_TOKEN";

/// The login of a file with lines `user=…` and `password=…` or `token=…`; without a file that of the environment; nothing where there is none.
pub(super) fn login(file: Option<&Path>) -> Result<Option<Login>> {
    let Some(path) = file else {
        let said = [USER, PASSWORD, TOKEN].map(|name| std::env::var(name).ok());
        return of(said)
            .map_err(|what| Error::Usage(format!("{what}: {USER}, {PASSWORD}, {TOKEN}")));
    };
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let value = |name: &str| {
        let mut lines = text.lines();
        let found = lines.find_map(|line| {
            line.trim_start()
                .strip_prefix(name)?
                .trim_start()
                .strip_prefix('=')
        });
        found.map(|value| value.trim().to_string())
    };
    let unusable = |reason: String| Error::Unusable {
        path: path.to_path_buf(),
        reason,
    };
    let login =
        of(["user", "password", "token"].map(value)).map_err(|what| unusable(what.into()))?;
    match login {
        Some(login) => Ok(Some(login)),
        None => Err(unusable(
            "it has no lines `user=…` and `password=…` or `token=…`".into(),
        )),
    }
}

fn of(said: [Option<String>; 3]) -> std::result::Result<Option<Login>, &'static str> {
    match said.map(|value| value.filter(|value| !value.is_empty())) {
        [None, None, None] => Ok(None),
        [Some(user), Some(password), None] => Ok(Some(Login::Password(user, password))),
        [Some(user), None, Some(token)] => Ok(Some(Login::Token(user, token))),
        _ => Err("a login is a user with a password or a token, and not both"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(text: &str) -> Result<Option<Login>> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("login");
        std::fs::write(&path, text).expect("a file");
        login(Some(&path))
    }

    #[test]
    fn a_login_is_whole() {
        let is =
            |text: &str, login: Login| matches!(of_file(text), Ok(Some(found)) if found == login);
        let password = Login::Password("a".into(), "b=c".into());
        assert!(is("user = a\npassword=b=c\n", password));
        assert!(is(
            "token=t\r\nuser=a\r\n",
            Login::Token("a".into(), "t".into())
        ));
        for text in [
            "",
            "user=a",
            "password=b",
            "user=a\npassword=b\ntoken=c",
            "a:b",
        ] {
            assert!(of_file(text).is_err(), "{text}");
        }
    }
}
