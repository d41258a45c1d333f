//! The configuration that a member downloads, read by the guard itself.

use std::path::Path;

use guard::config::Config;

use crate::Face;
use crate::portal::acme;

#[tokio::test]
async fn the_guards_configuration_is_one_that_the_guard_takes() {
    let face = Face::new();
    let (mut me, ..) = acme(&face, &["open", "programme"]).await;
    face.get(&mut me, "/me/guard").await.expect(200).has(&["ringfence guard --check guard.toml"]);
    let file = face.get(&mut me, "/me/guard?download=guard.toml").await.expect(200);
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"guard.toml\"");
    let config = Config::parse("guard.toml", &file.body, Path::new("/")).unwrap();
    assert!(!config.feeds.is_empty());
    assert_eq!(config.hub.url, "https://hub.example/taxii2/");
    // Whatever is typed in stays one value.
    let hostile = "/me/guard?download=x&feed=open&data=%2Fa%22%5Db%5C&token_file=%22%22%22%23&hub=https%3A%2F%2Fhub.example%2F&origin=rpz.example.org";
    let file = face.get(&mut me, hostile).await.expect(200);
    let config = Config::parse("guard.toml", &file.body, Path::new("/")).unwrap();
    assert_eq!(config.data, Path::new("/a\"]b\\"));
    assert_eq!(config.hub.token_file, Path::new("/\"\"\"#"));
    let page = face.get(&mut me, &hostile.replace("download=x&", "")).await.expect(200);
    page.lacks(&["value=\"/a\"]"]);
    face.get(&mut me, "/me/guard?data=a%0A%5Bflows%5D").await.expect(400);
}
