//! The console: the exchange for people.
//!
//! Pages are made here, on the server, of HTML templates; they are whole and usable without script, and small modules of
//! our own make some of them quicker to use. This crate is a face like `hub`: a page puts questions to
//! [`Exchange`](exchange::Exchange) as the person who is signed in, with the same functions as the API, and renders the
//! answers. What the API would refuse, a page does not show.
//!
//! # How a page is added
//!
//! ```text
//! templates/hits.html     {% extends "base.html" %}{% block main %}<h1>Hits</h1> ... {% endblock %}
//! src/pages/hits.rs       #[derive(Template)] #[template(path = "hits.html")]
//!                         struct Hits { frame: Frame, rows: Vec<Row> }
//!
//!                         pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
//!                             let caller = asked.caller();
//!                             let found = console.read(move |exchange| exchange.something(&caller)).await?;
//!                             if let Some(format) = asked.format()? { return table(&found).answer(format, "hits"); }
//!                             page(&Hits { frame: asked.frame("Hits"), rows: found.into_iter().map(Row::from).collect() })
//!                         }
//! src/router.rs           one line in `PAGES`: path, who may ask, handlers; one in `frame::SECTIONS` if it is in the menu
//! tests/console/hits.rs   `let face = Face::new(); let me = face.sign_in(Role::Officer).await; face.get(&me, "/hits")`
//! ```
//!
//! A page that changes something takes a [`Posted`](asked::Posted) instead of an `Asked`, calls `console.decide(..)`, and
//! answers `posted.done("what happened", "/where/to/go")`, which is a redirection with a message. Each form that posts carries
//! `<input type="hidden" name="token" value="{{ frame.token() }}">`, or the pipeline refuses it.
//! A first part of a path that no page had before goes into `hub`'s list of names that no programme can have.
//!
//! # What every request goes through
//!
//! [`pipeline`] finds the session and holds its credential against the exchange, refuses whoever may not ask, and checks
//! of every form that it comes from a page of ours. So no page can forget it. After the handler it writes the page of a
//! [`Problem`](problem::Problem), and the headers: nothing from elsewhere is loaded, nothing inline runs, nobody frames us,
//! nothing is kept in caches.
//!
//! # What it is not
//!
//! It keeps no accounts (the exchange does), decides nothing, and names no store and no protocol. Sessions are in memory:
//! a restart signs everybody out.

mod asked;
mod assets;
mod attempts;
mod chart;
mod console;
mod cookies;
mod export;
mod frame;
mod graph;
mod multipart;
mod options;
mod pages;
mod peer;
mod pipeline;
mod problem;
mod provider;
mod query;
mod router;
mod sessions;
mod svg;
mod uploads;
mod words;

pub use console::Console;
pub use options::ConsoleOptions;
pub use peer::Peer;
pub use pipeline::{is_for_people, nowhere};
pub use provider::{Provider, ProviderSettings};
pub use router::{paths, router};
