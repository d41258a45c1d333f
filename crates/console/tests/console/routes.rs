//! Every path, as everybody who may come along.

use console::paths;
use model::{Principal, Role};

use crate::{Browser, Face};

#[tokio::test]
async fn nobody_gets_anywhere_but_to_sign_in() {
    let face = Face::new();
    for path in paths() {
        let concrete = path.replace("{member}", "member:0000000000000001").replace(['{', '}'], "");
        let answer = face.get(&mut Browser::default(), &concrete).await;
        let is_open = concrete.starts_with("/sign-in") || concrete == "/assets/hash/name";
        let want: &[u16] = if is_open { &[200, 404, 410] } else { &[303] };
        assert!(want.contains(&answer.status.as_u16()), "{path}: {}", answer.status);
        let answer = face.post_bare(&mut Browser::default(), &concrete, &[], &[]).await;
        assert!([303, 403, 405].contains(&answer.status.as_u16()), "{path}: {}", answer.status);
    }
    let told = face.get(&mut Browser::default(), "/members?format=json").await.expect(401);
    assert!(!told.body.contains("[{"));
}

#[tokio::test]
async fn a_member_is_shown_nothing_of_the_programmes_pages_or_of_others() {
    let face = Face::new();
    let (own, _) = face.world.member("Acme", &["open"]);
    let (other, _) = face.world.member("Hidden Member", &["open"]);
    let mut me = face.sign_in(Principal::Member(own.id.clone())).await;
    for path in paths().into_iter().filter(|path| !path.starts_with("/sign") && !path.starts_with("/assets"))
    {
        let concrete = path.replace("{member}", other.id.as_str()).replace("{tie}", "stake-symantec");
        let answer = face.get(&mut me, &concrete).await;
        assert!(
            [303, 200, 400, 403, 404, 405, 406].contains(&answer.status.as_u16()),
            "{path}: {}",
            answer.status
        );
        assert!(!answer.body.contains("Hidden Member"), "{path} tells of another member");
        let own = [
            "/",
            "/me",
            "/account",
            "/ledger",
            "/me/feed",
            "/me/contributions",
            "/me/credentials",
            "/me/guard",
            "/me/attestation",
        ];
        let is_own = own.contains(&path);
        assert!(is_own || !answer.status.is_success(), "{path}: {}", answer.status);
    }
    // One that is not there and one that is not its own look the same.
    let absent = face.get(&mut me, "/members/member:00000000000000ff").await.expect(404);
    let hidden = face.get(&mut me, &format!("/members/{}", other.id)).await.expect(404);
    assert_eq!(absent.body, hidden.body);
    assert_eq!(face.get(&mut me, "/").await.expect(303).header("location"), "/me");
    let to = face.get(&mut me, "/me").await.expect(303);
    face.get(&mut me, to.header("location"))
        .await
        .expect(200)
        .has(&["<h1>Acme</h1>"])
        .lacks(&["Take the step"]);
    face.get(&mut me, &format!("/members/{}?format=json", own.id)).await.expect(200).lacks(&["tie"]);
}

#[tokio::test]
async fn an_overseer_sees_and_decides_nothing() {
    let face = Face::new();
    let (member, _) = face.world.member("Acme", &["open"]);
    let page = format!("/members/{}", member.id);
    let fields = [
        ("tier", "open"),
        ("to", "suspended"),
        ("reason", "a test"),
        ("text", "t"),
        ("entity", "acme"),
        ("duty", "d"),
    ];
    for role in [Role::Overseer, Role::Reviewer] {
        let mut me = face.role(role).await;
        face.get(&mut me, "/").await.expect(200);
        face.get(&mut me, "/members").await.expect(200).has(&["Acme"]).lacks(&["Admit"]);
        face.get(&mut me, &page).await.expect(200).lacks(&["Take the step"]);
        for action in ["standing", "withdraw", "review", "appeal", "negotiation", "entity", "duty"] {
            face.post(&mut me, &format!("{page}/{action}"), &fields).await.expect(403);
        }
        face.post(&mut me, "/members", &[("name", "X"), ("kind", "provider")]).await.expect(403);
    }
    let mut officer = face.role(Role::Officer).await;
    face.post(&mut officer, &format!("{page}/standing"), &fields).await.expect(303);
    face.get(&mut officer, &page).await.expect(200).has(&["It is now suspended on open"]);
}

#[tokio::test]
async fn every_answer_has_its_headers() {
    let face = Face::new();
    let mut me = face.role(Role::Officer).await;
    let style = face.get(&mut me, "/").await.body;
    let style = style
        .split("href=\"/assets/")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .replace("mark.svg", "console.css");
    for path in
        ["/", "/members", "/members/x", "/sign-in", "/members?format=csv", &format!("/assets/{style}")]
    {
        let answer = face.get(&mut me, path).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'self';") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        let caching =
            if path.starts_with("/assets") { "public, max-age=31536000, immutable" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), caching, "{path}");
        assert!(
            !answer.body.contains(" style=")
                && !answer.body.contains("<style")
                && !answer.body.contains("onclick"),
            "{path}"
        );
    }
    face.get(&mut me, "/assets/0000/console.css").await.expect(404);
}
