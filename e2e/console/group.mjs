// A group as registers have it, invented: a member in its middle, a deep chain of owners with a party of concern at its
// end, co-owners, 120 subsidiaries with subsidiaries of their own, directors, and whoever holds parts of those.

const COUNTRIES = ["DE", "FR", "NL", "LU", "CH", "GB", "IE", "US", "SG", "HK", "AE", "CY", "PL", "SE"];
const PLACES = ["Aldmoor", "Brackwell", "Carrowden", "Dunmere", "Eskdale", "Fernleigh", "Glasbury", "Harwick", "Inverlee", "Kelmore"];
const TRADES = ["Networks", "Data Centres", "Licensing", "Field Services", "Trading", "Semiconductors", "Treasury", "Logistics"];
const FORMS = ["GmbH", "SAS", "BV", "SARL", "AG", "Ltd", "Pte Ltd", "Inc."];

/** Statements about `count` entities, the same for the same count. */
export function group(count) {
  const statements = [];
  let made = 0;
  const say = (said) => statements.push({ id: `${count}-${statements.length}`, said, source: { document: "a register" }, recorded: "2026-01-01T00:00:00Z" });
  const entity = (kind, name, countries = [COUNTRIES[made % COUNTRIES.length]]) => {
    const id = made === 0 ? `group-${count}` : `g${count}-${made}`;
    made += 1;
    say({ entity: { id, kind, names: [{ text: name }], countries } });
    return id;
  };
  const company = () => {
    const [place, trade, form] = [PLACES[made % 10], TRADES[(made * 7) % 8], FORMS[(made * 3) % 8]];
    return entity("organisation", `${place} ${trade} ${made} ${form}`);
  };
  const tie = (from, to, kind) => say({ tie: { id: `t${count}-${statements.length}`, from, to, kind, valid: { from: "2021-03-01" } } });
  const holds = (from, to, percent) => tie(from, to, { holds: { votes: `${percent}%`, money: `${percent}%` } });

  const middle = entity("organisation", "Merrowgate Telecommunications plc", ["GB"]);
  // The path that decides: four steps up.
  let owner = middle;
  for (const [name, percent] of [["Merrowgate Holding BV", 74], ["Castellane Participations SARL", 62], ["Orsino Investment Partners", 55], ["Zhaoling State Electronics Group", 100]]) {
    const above = entity("organisation", name);
    holds(above, owner, percent);
    owner = above;
  }
  say({ listing: { id: `l${count}`, entity: owner, list: "concern", valid: { from: "2022-06-01" } } });
  // Beyond it, a chain that decides nothing.
  let minor = middle;
  for (let step = 0; step < 8 && made < count; step += 1) {
    const above = company();
    holds(above, minor, 8);
    minor = above;
  }
  const people = ["Ada Winterbourne", "Jonas Leclerq", "Mei-Lin Thorsby", "Oskar Dahl", "Priya Ramanathan"];
  for (const name of people) tie(entity("person", name, ["GB"]), middle, { serves: { post: "director" } });
  const holding = [];
  while (made < count) {
    const number = made;
    const below = company();
    if (number < 140) {
      holds(middle, below, [100, 80, 51, 60, 33][number % 5]);
      holding.push(below);
    } else if (number % 4 === 0) {
      holds(below, holding[(number * 13) % holding.length], 20);
    } else {
      holds(holding[(number * 5) % Math.min(holding.length, 40)], below, 75);
      if (number % 9 === 0) tie(below, middle, { supplies: { subject: "equipment" } });
    }
  }
  return { middle, statements };
}
