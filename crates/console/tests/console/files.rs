//! Every table of every page has itself as CSV and as JSON, with at least the rows that the page shows.

use std::time::Duration;

use console::paths;
use model::{Principal, Role};
use taxii::ObjectFilter;

use crate::{Browser, Face};

/// How many rows a table's body has: its markup up to its end.
fn rows(table: &str) -> usize {
    let body = table.split_once("<tbody").unwrap().1.split_once("</tbody>").unwrap().0;
    body.matches("<tr").count()
}

/// The first link behind a table, within its section, that leads to a file of that format.
fn link(behind: &str, format: &str) -> Option<String> {
    let behind = behind.split("</section>").next().unwrap_or_default();
    let links = behind.split("href=\"").skip(1).filter_map(|link| link.split('"').next());
    let mut links = links.map(|link| link.replace("&#38;", "&").replace("&amp;", "&"));
    links.find(|link| link.contains(&format!("format={format}")))
}

/// Holds a page's tables to their files, and says how many it has.
async fn hold(face: &Face, me: &mut Browser, path: &str) -> usize {
    let page = face.get(me, path).await.expect(200);
    let tables: Vec<&str> = page.body.match_indices("<table").map(|(at, _)| &page.body[at..]).collect();
    for (number, table) in tables.iter().enumerate() {
        let behind = table.split_once("</table>").unwrap().1;
        let shown = rows(table);
        let link = |format: &str| {
            let link = link(behind, format);
            link.unwrap_or_else(|| panic!("{path}: table {number} has no link to itself as {format}"))
        };
        let json = face.get(me, &link("json")).await.expect(200);
        let told: Vec<serde_json::Value> = serde_json::from_str(&json.body).unwrap();
        assert!(
            told.len() >= shown,
            "{path}: table {number} shows {shown} rows, its file has {}",
            told.len()
        );
        let csv = face.get(me, &link("csv")).await.expect(200);
        assert!(csv.header("content-type").starts_with("text/csv"), "{path}");
        // Text of several lines stands in one field.
        assert!(
            csv.body.matches("\r\n").count() > told.len(),
            "{path}: table {number} in CSV has fewer rows"
        );
    }
    tables.len()
}

#[tokio::test]
async fn every_table_of_every_page_can_be_taken_along() {
    let face = Face::new();
    let (member, caller) = face.world.member("Symantec", &["open", "programme", "cleared"]);
    let exchange = &face.world.exchange;
    let programme = exchange.programme();
    let case = programme.vetting_cases().iter().find(|file| file.file == "cases/symantec.toml").unwrap();
    let statements = case.statements.clone();
    let file = serde_json::to_vec(&case.statements).unwrap();
    let import = exchange::Import { statements, ..exchange::Import::default() };
    exchange.bind_entity(&face.world.operator, &member.id, &"symantec".parse().unwrap()).unwrap();
    let mut me = face.role(Role::Operator).await;
    face.get(&mut me, "/ties/import").await.expect(200);
    let preview = face.post_file(&mut me, "/ties/import", "story.json", &file, &[]).await.expect(303);
    assert_eq!(hold(&face, &mut me, preview.header("location")).await, 1, "who would move");
    exchange.import(&face.world.operator, import).unwrap();
    let objects: Vec<Vec<u8>> = (1..4).map(|number| testkit::indicator(number, 1, &[])).collect();
    drop(face.world.publish("open", &objects));
    exchange.objects(&caller, "open", &ObjectFilter::default()).unwrap();
    let hour = exchange.now().to_string().get(..13).unwrap().to_owned() + ":00:00Z";
    exchange.hear_guard(&caller, "0.1.0");
    let sighting = serde_json::json!({
        "type": "sighting", "spec_version": "2.1", "id": "sighting--00000000-0000-4000-8000-000000000001",
        "created": hour, "modified": hour, "first_seen": hour, "last_seen": hour, "count": 5,
        "sighting_of_ref": testkit::indicator_id(1),
        "extensions": { exchange::OCCURRENCE_EXTENSION: {
            "extension_type": "property-extension", "countermeasure": "sinkhole", "action": "enforced",
        }},
    });
    exchange.report_occurrences(&caller, &[sighting]).unwrap();
    face.world.pass(Duration::from_hours(1));
    // Nobody stays signed in for that long.
    let me = face.role(Role::Operator).await;
    let own = face.sign_in(Principal::Member(member.id.clone())).await;
    for (mut me, least) in [(me, 12), (own, 2)] {
        let mut tables = 0;
        for path in
            paths().into_iter().filter(|path| !path.starts_with("/sign") && !path.starts_with("/assets"))
        {
            let concrete = path
                .replace("{member}", member.id.as_str())
                .replace("{entity}", "symantec")
                .replace("{tie}", "stake-symantec")
                .replace("{object}", &testkit::indicator_id(1))
                .replace("{index}", "1")
                .replace(['{', '}'], "");
            if face.get(&mut me, &concrete).await.status == 200 {
                tables += hold(&face, &mut me, &concrete).await;
            }
        }
        for further in ["/ties?q=symantec", "/ties/lists?list=concern", "/content?collection=open"] {
            if face.get(&mut me, further).await.status == 200 {
                tables += hold(&face, &mut me, further).await;
            }
        }
        assert!(tables >= least, "{tables} tables were held to their files");
    }
}
