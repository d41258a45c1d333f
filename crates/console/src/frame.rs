//! What stands around every page: the menu, who is signed in, a message.

use model::{Caller, Principal, Role};

use crate::console::Console;
use crate::sessions::{Flash, Session};
use crate::words::moment;

/// A page of the menu.
struct Section {
    path: &'static str,
    label: &'static str,
    for_whom: ForWhom,
}

/// Whose menu has it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ForWhom {
    People,
    Members,
    Both,
}

const fn people(path: &'static str, label: &'static str) -> Section {
    Section { path, label, for_whom: ForWhom::People }
}

const fn own(path: &'static str, label: &'static str) -> Section {
    Section { path, label, for_whom: ForWhom::Members }
}

/// The menu, in its order. A page belongs to the section with the longest path that its own path begins with.
const SECTIONS: &[Section] = &[
    own("/me", "My standing"),
    own("/me/feed", "My feed"),
    own("/me/contributions", "My contributions"),
    own("/me/credentials", "My credentials"),
    own("/me/guard", "My guard"),
    own("/me/attestation", "Attestation"),
    people("/", "Today"),
    people("/members", "Members"),
    people("/ties", "Ties"),
    people("/content", "Content"),
    people("/release", "Release"),
    people("/hits", "Hits"),
    people("/programme", "Programme"),
    Section { path: "/ledger", label: "Ledger", for_whom: ForWhom::Both },
];

/// A link of the menu.
pub(crate) struct Link {
    pub(crate) href: &'static str,
    pub(crate) label: &'static str,
    pub(crate) is_current: bool,
}

/// What stands around a page.
pub(crate) struct Frame {
    /// The page's name, first in the window's title.
    pub(crate) title: String,
    /// The programme's title.
    pub(crate) programme: String,
    pub(crate) sections: Vec<Link>,
    /// As what one is signed in, with the person's name if it is known.
    pub(crate) who: Option<String>,
    pub(crate) flash: Option<Flash>,
    /// Where the assets lie.
    pub(crate) assets: String,
    /// The hub's time.
    pub(crate) now: String,
    form_token: String,
}

impl Frame {
    pub(crate) fn new(console: &Console, session: Option<&Session>, path: &str, title: &str) -> Self {
        let programme = console.exchange.programme();
        Self {
            title: title.to_owned(),
            programme: programme.settings().title.clone(),
            sections: session.map(|session| menu(&session.caller, path)).unwrap_or_default(),
            who: session.map(|session| who(console, &session.caller)),
            flash: None,
            assets: console.assets.base(),
            now: moment(console.exchange.now()),
            form_token: session.map(|session| session.form_token.clone()).unwrap_or_default(),
        }
    }

    /// As above for a page before signing in, whose forms are bound to a cookie.
    pub(crate) fn before(console: &Console, title: &str, form_token: String) -> Self {
        Self { form_token, ..Self::new(console, None, "/", title) }
    }

    /// What forms carry.
    pub(crate) fn token(&self) -> &str {
        &self.form_token
    }
}

fn menu(caller: &Caller, path: &str) -> Vec<Link> {
    let is_member = caller.member().is_some();
    let mine = SECTIONS.iter().filter(|section| match section.for_whom {
        ForWhom::People => !is_member,
        ForWhom::Members => is_member,
        ForWhom::Both => true,
    });
    let mine: Vec<&Section> = mine.collect();
    // A member's own page lies among the members'.
    let path = if is_member && path.starts_with("/members/") { "/me" } else { path };
    let holds = |section: &&&Section| {
        let rest = path.strip_prefix(section.path);
        rest.is_some_and(|rest| rest.is_empty() || section.path != "/" && rest.starts_with('/'))
    };
    let current = mine.iter().filter(holds).map(|section| section.path).max_by_key(|path| path.len());
    let link = |section: &Section| Link {
        href: section.path,
        label: section.label,
        is_current: current == Some(section.path),
    };
    mine.into_iter().map(link).collect()
}

fn who(console: &Console, caller: &Caller) -> String {
    let account = console.exchange.account(caller);
    let person = account.map(|account| account.person.unwrap_or(account.login)).unwrap_or_default();
    match &caller.principal {
        Principal::Role(role) => format!("{person}, {role}"),
        Principal::Member(member) => {
            let name = console.exchange.member(caller, member).map(|member| member.name);
            format!("{person}, for {}", name.unwrap_or_else(|_| member.to_string()))
        }
    }
}

/// Whether a caller may decide, so that forms for it are worth showing. The exchange asks again.
pub(crate) fn decides(caller: &Caller) -> bool {
    caller.actions.contains(&model::Action::Administer)
        && matches!(caller.role(), Some(Role::Operator | Role::Officer))
}
