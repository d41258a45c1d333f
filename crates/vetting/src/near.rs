//! Answers that are no: how near somebody comes to a line, and what is not known.
//!
//! "Nobody controls it" says little. "The best group has 41.2 % of the votes, and 12 % are undisclosed" tells an officer
//! what to ask for next. So for each line of control and of the 50 % rules that is not certainly met, the group that
//! comes nearest is told, and beside it, in words, whatever the sources leave open.

use ties::kernel::{Certainty, Line, Node};
use ties::{Bound, EntityId, Evidence, Fraction, Truth};

use crate::facts::{Facts, Near};
use crate::ground::{Graph, PARTS};
use crate::inward::{Inward, at_most_all, contradicts, named};
use crate::scene::Glance;
use crate::wording;

/// How many gaps are told one by one.
const GAPS_MAX: usize = 12;

impl Inward<'_, '_> {
    /// The lines that are not certainly met.
    pub(crate) fn lines(&self, facts: &mut Facts) {
        if !self.scene.proofs {
            return;
        }
        let parties = [
            ("a foreign person", self.matter(|nature| nature.foreign)),
            ("a person of an adverse state", self.matter(|nature| nature.adverse)),
            ("a party of concern", self.matter(|nature| nature.concern)),
        ];
        for (who, parties) in parties {
            let nodes: Vec<Node> = parties.into_iter().map(|(node, _)| node).collect();
            self.nearest_alone(facts, &format!("control by {who}"), Graph::Control, &nodes);
        }
        for (list, seeds) in self.seeds() {
            let nodes = named(&seeds, Certainty::Possible);
            for graph in PARTS {
                let what = if graph == Graph::Money { "ownership" } else { "votes" };
                let line = format!("one of the list `{list}` by {what}");
                self.nearest_alone(facts, &line, graph, &nodes);
            }
            if self.is_blocking(&list) {
                let line = format!("those of the list `{list}` together, by ownership");
                self.nearness(facts, &line, Graph::Money, &nodes, Line::HALF_OR_MORE);
            }
        }
    }

    /// The one who comes nearest to a majority with what it controls.
    fn nearest_alone(&self, facts: &mut Facts, line: &str, graph: Graph, parties: &[Node]) {
        let mut best: Option<((Fraction, Fraction), Node)> = None;
        for &party in parties {
            let reach = self.ground.alone(graph, party);
            if reach.truth == Truth::Certain {
                return;
            }
            let near = (reach.least.at, reach.most.at);
            if near.1 > Fraction::ZERO && best.is_none_or(|(so_far, _)| near > so_far) {
                best = Some((near, party));
            }
        }
        if let Some((_, party)) = best {
            self.nearness(facts, line, graph, &[party], Line::MAJORITY);
        }
    }

    fn nearness(&self, facts: &mut Facts, what: &str, graph: Graph, seeds: &[Node], line: Line) {
        let holdings = self.ground.holdings(graph);
        let register = self.ground.register_of(graph);
        let [certain, possible] = [Certainty::Certain, Certainty::Possible]
            .map(|certainty| self.ground.closure(graph, seeds, line, certainty));
        let told = holdings.nearness(&possible, register);
        if certain.contains(0) || told.group.is_empty() {
            return;
        }
        let (least, _) = self.ground.nearness(graph, &certain, register);
        let (_, most) = self.ground.nearness(graph, &possible, register);
        let mut holders: Vec<Node> = told.group.iter().map(|holding| holding.holder).collect();
        let mut by_right = holders.iter().any(|holder| self.ground.is_by_right(graph, *holder, register));
        if holders.iter().all(|holder| self.ground.cone.is_way(*holder)) {
            // It has no register of votes: what the closure came by is rights.
            let ways = holders.iter().flat_map(|way| holdings.holders(*way));
            holders = ways.filter(|holder| possible.contains(*holder)).collect();
            by_right = true;
        }
        let who: Vec<EntityId> = holders.iter().map(|holder| self.ground.entity(*holder).clone()).collect();
        let lacks = line.at.checked_sub(least.at).unwrap_or(Fraction::ZERO);
        let text = if by_right {
            format!(
                "{what}: possible, not certain. {} may direct it by other means than votes",
                self.scene.names(&who)
            )
        } else {
            self.near_text(what, &who, (least, most), (line, lacks), told.undisclosed, possible.contains(0))
        };
        let near = Near {
            line: format!("{what}: {}", wording::line(line)),
            who,
            least: at_most_all(least.at.basis_points_floor()),
            most: at_most_all(most.at.basis_points_ceil()),
            missing: at_most_all(lacks.basis_points_ceil()),
            text,
        };
        let evidence = self.evidence(graph, seeds);
        facts.near.push((near, evidence));
    }

    fn near_text(
        &self,
        what: &str,
        who: &[EntityId],
        (least, most): (Bound, Bound),
        (line, lacks): (Line, Fraction),
        undisclosed: Fraction,
        possible: bool,
    ) -> String {
        let names = self.scene.names(who);
        let held = wording::ends(least, most);
        let lacks =
            if lacks == Fraction::ZERO { "anything more".to_owned() } else { wording::fraction(lacks) };
        let verdict = if possible { "possible, not certain" } else { "not met" };
        let mut text =
            format!("{what}: {verdict}. {names}: {held}; {} needs {lacks} more", wording::line(line));
        if undisclosed > Fraction::ZERO {
            text = format!("{text}; {} undisclosed", wording::fraction(undisclosed));
        }
        text
    }

    /// Who may see that some stand behind the entity.
    fn evidence(&self, graph: Graph, from: &[Node]) -> Evidence {
        if self.scene.reader_may_see_all() {
            return Evidence::Public;
        }
        let steps = self.ground.chain_steps(self.scene, graph, from, Certainty::Possible);
        steps.into_iter().map(|step| step.evidence).max().unwrap_or_default()
    }

    /// What the sources leave open, in words.
    pub(crate) fn gaps(&self, facts: &mut Facts) {
        if !self.scene.proofs {
            return;
        }
        let mut gaps: Vec<(String, Evidence)> = Vec::new();
        let name = self.scene.name(self.entity);
        let missing = self.missing(Certainty::Possible);
        if missing > 0 {
            gaps.push((format!("who holds {} of {name}", wording::part(missing)), Evidence::Public));
        }
        let asked = |node, glance: Glance| {
            glance.is_nowhere() || (self.is_open_end(node) && !glance.is_publicly_listed())
        };
        for (node, nature) in self.scene.natures(self.ground, asked) {
            if !nature.publicly_listed && self.is_open_end(node) {
                let evidence = self.evidence(Graph::Control, &[node]);
                gaps.push((format!("who stands behind {}", nature.name), evidence));
            }
            if nature.foreign == Truth::Possible {
                let evidence = self.evidence(Graph::Control, &[node]);
                gaps.push((format!("to which country {} belongs", nature.name), evidence));
            }
            if gaps.len() > GAPS_MAX {
                break;
            }
        }
        let more = gaps.len() > GAPS_MAX;
        gaps.truncate(GAPS_MAX);
        if more {
            gaps.push(("and more of those who stand behind it".to_owned(), Evidence::Public));
        }
        for irregular in self.ground.cone.irregularities.iter().take(GAPS_MAX) {
            let company = self.scene.name(&irregular.company);
            let what = if contradicts(irregular.what) { "which is true of" } else { "what is left out of" };
            let steps = irregular.ties.iter().filter_map(|tie| self.scene.tie(tie));
            let evidence = steps.map(|step| step.evidence).max().unwrap_or_default();
            gaps.push((format!("{what} the accounts of the holders of {company}"), evidence));
        }
        if self.ground.cone.cut_short || self.ground.memory.is_cut_short() {
            gaps.push((
                format!("what else stands behind {name}: it is more than is walked"),
                Evidence::Public,
            ));
        }
        facts.unknown.extend(gaps);
        self.hidden(facts);
    }

    /// What is undisclosed for certain, in words.
    fn hidden(&self, facts: &mut Facts) {
        let missing = self.missing(Certainty::Certain);
        if missing > 0 {
            let what = format!("who holds {} of {}", wording::part(missing), self.scene.name(self.entity));
            facts.hidden.push((what, Evidence::Public));
        }
        for party in self.upstream.iter().filter(|party| party.hides_somebody(self)).take(GAPS_MAX) {
            let evidence = self.evidence(Graph::Control, &[party.node]);
            facts.hidden.push((format!("who stands behind {}", party.nature.name), evidence));
        }
    }
}
