//! The console's pages beside the hub's own paths.

/// A programme's name is the first part of its TAXII root's path, so it may be that of no page.
#[test]
fn no_programme_can_hide_a_page() {
    for path in console::paths() {
        let first = path.split('/').nth(1).unwrap_or_default();
        assert!(first.is_empty() || hub::RESERVED.contains(&first), "`{first}` of `{path}` is not reserved");
    }
}
