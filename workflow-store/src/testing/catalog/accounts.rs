//! Users, tokens, sessions.

use std::time::{Duration, SystemTime};

use crate::{
    CatalogError, NewSession, NewToken, NewUser, NewWorkflow, TokenScope, UserChange, UserQuery,
    Viewer,
};

use super::fixtures::*;

fn account(name: &str) -> NewUser {
    NewUser { password_hash: Some(format!("hash of {name}")), ..NewUser::new(name) }
}

fn token(user: &str, digest: u8, expires_at: Option<SystemTime>) -> NewToken {
    let (user, name, digest) = (user.to_owned(), format!("token {digest}"), [digest; 32]);
    NewToken { user, name, digest, scope: TokenScope::Run, expires_at }
}

fn session(user: &str, digest: u8, expires_at: SystemTime) -> NewSession {
    let (user, digest, csrf) = (user.to_owned(), [digest; 32], format!("csrf {digest}"));
    NewSession { user, digest, csrf, expires_at }
}

fn hour_hence() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

fn hour_ago() -> SystemTime {
    SystemTime::now() - Duration::from_secs(3600)
}

pub(crate) async fn users_are_added_changed_and_deleted(place: Catalogs) {
    let store = &place.store;
    assert!(!store.has_accounts().await.expect("asked"));
    let owned = NewWorkflow { user: Some("alice".to_owned()), ..NewWorkflow::new("etl") };
    store.create_workflow(owned).await.expect("made");
    let named = store.user("alice").await.expect("asked").expect("named");
    assert!(named.password_hash.is_none() && !store.has_accounts().await.expect("asked"));
    // Who was only named becomes an account, and keeps what is theirs.
    let alice = store.add_user(account("alice")).await.expect("added");
    assert_eq!((alice.id, alice.is_active, alice.is_staff), (named.id, true, false));
    assert!(store.has_accounts().await.expect("asked") && alice.created_at.is_some());
    let again = store.add_user(account("alice")).await.expect_err("there is one");
    assert!(matches!(&again, CatalogError::UserExists(name) if name == "alice"), "{again}");
    for wrong in ["", " padded", &"x".repeat(151)] {
        let error = place.store.add_user(NewUser::new(wrong)).await.expect_err("not fit");
        assert!(error.to_string().starts_with("the user is"), "{error}");
    }
    for at in 0..4 {
        store.add_user(account(&format!("user {at}"))).await.expect("added");
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = place.other.users(UserQuery { after, limit: Some(2) }).await.expect("listed");
        seen.extend(page.items.into_iter().map(|user| user.username));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["alice", "user 0", "user 1", "user 2", "user 3"]);
    let staff = UserChange { is_staff: Some(true), ..Default::default() };
    let changed = place.other.change_user("alice", staff).await.expect("changed");
    assert!(changed.is_staff && changed.password_hash.as_deref() == Some("hash of alice"));
    let etl = async || store.workflow("etl").await.expect("there");
    for is_active in [false, true] {
        let change = UserChange { is_active: Some(is_active), ..Default::default() };
        store.change_user("alice", change).await.expect("changed");
        let etl = etl().await;
        assert_eq!((etl.owner_is_active, etl.is_active), (is_active, true));
    }
    assert_eq!(store.delete_user("alice").await.expect("deleted"), 1);
    assert_eq!(store.user("alice").await.expect("asked"), None);
    let etl = etl().await;
    assert_eq!((etl.user, etl.owner_is_active, etl.is_active), (None, true, false));
    for error in [
        store.delete_user("alice").await.expect_err("gone"),
        store.change_user("alice", UserChange::default()).await.expect_err("gone"),
        store.add_token(token("alice", 1, None)).await.expect_err("gone"),
    ] {
        assert!(matches!(&error, CatalogError::NoUser(name) if name == "alice"), "{error}");
    }
}

pub(crate) async fn tokens_are_good_until_they_are_not(place: Catalogs) {
    let store = &place.store;
    store.add_user(account("alice")).await.expect("added");
    store.add_user(account("bob")).await.expect("added");
    let made = store.add_token(token("alice", 1, Some(hour_hence()))).await.expect("added");
    assert_eq!((made.user.as_str(), made.scope), ("alice", TokenScope::Run));
    assert!(made.last_used_at.is_none());
    let taken = store.add_token(token("bob", 1, None)).await.expect_err("taken");
    assert!(taken.to_string().contains("the token is there already"), "{taken}");
    store.add_token(token("alice", 2, Some(hour_ago()))).await.expect("added");
    store.add_token(token("bob", 3, None)).await.expect("added");
    let (found, user) = place.other.token([1; 32]).await.expect("asked").expect("good");
    assert_eq!((found.id, user.username.as_str()), (made.id, "alice"));
    let (used, _) = store.token([1; 32]).await.expect("asked").expect("good");
    assert!(used.last_used_at.is_some());
    for unknown in [2, 9] {
        assert_eq!(store.token([unknown; 32]).await.expect("asked"), None);
    }
    assert_eq!(store.tokens(None).await.expect("listed").len(), 3);
    assert_eq!(store.tokens(Some("alice")).await.expect("listed").len(), 2);
    assert_eq!(store.remove_expired().await.expect("removed"), 1);
    assert_eq!(store.tokens(Some("alice")).await.expect("listed").len(), 1);
    // Nobody revokes what is somebody else's.
    assert!(!store.revoke_token(made.id, Some("bob")).await.expect("asked"));
    let inactive = |is| UserChange { is_active: Some(is), ..Default::default() };
    store.change_user("alice", inactive(false)).await.expect("changed");
    assert_eq!(place.other.token([1; 32]).await.expect("asked"), None);
    store.change_user("alice", inactive(true)).await.expect("changed");
    assert!(store.revoke_token(made.id, Some("alice")).await.expect("revoked"));
    assert_eq!(place.other.token([1; 32]).await.expect("asked"), None);
    store.delete_user("bob").await.expect("deleted");
    assert!(store.tokens(None).await.expect("listed").is_empty());
}

pub(crate) async fn sessions_end(place: Catalogs) {
    let store = &place.store;
    store.add_user(account("alice")).await.expect("added");
    for digest in 1..=4 {
        store.add_session(session("alice", digest, hour_hence())).await.expect("added");
    }
    store.add_session(session("alice", 5, hour_ago())).await.expect("added");
    let (found, user) = place.other.session([1; 32]).await.expect("asked").expect("good");
    assert_eq!((found.csrf.as_str(), user.username.as_str()), ("csrf 1", "alice"));
    assert_eq!(store.session([5; 32]).await.expect("asked"), None);
    assert_eq!(store.remove_expired().await.expect("removed"), 1);
    store.end_session([1; 32]).await.expect("ended");
    assert_eq!(place.other.session([1; 32]).await.expect("asked"), None);
    assert!(store.session([2; 32]).await.expect("asked").is_some());
    let password = UserChange { password_hash: Some("new".to_owned()), ..Default::default() };
    store.change_user("alice", password).await.expect("changed");
    assert_eq!(store.session([2; 32]).await.expect("asked"), None);
    store.add_session(session("alice", 6, hour_hence())).await.expect("added");
    store.end_sessions("alice").await.expect("ended");
    assert_eq!(store.session([6; 32]).await.expect("asked"), None);
}

pub(crate) async fn a_user_has_an_account_and_nobody_elses(place: Catalogs) {
    for name in ["alice", "bob"] {
        place.store.add_user(account(name)).await.expect("added");
    }
    let bobs = place.store.add_token(token("bob", 1, None)).await.expect("added");
    place.store.add_session(session("bob", 2, hour_hence())).await.expect("added");
    let alice = place.store.seen_by(Viewer::User("alice".to_owned()));
    let staff = UserChange { is_staff: Some(true), ..Default::default() };
    let password = UserChange { password_hash: Some("x".to_owned()), ..Default::default() };
    for error in [
        alice.users(UserQuery::default()).await.expect_err("forbidden"),
        alice.user("bob").await.expect_err("forbidden"),
        alice.add_user(account("carol")).await.expect_err("forbidden"),
        alice.change_user("bob", password.clone()).await.expect_err("forbidden"),
        alice.change_user("alice", staff).await.expect_err("forbidden"),
        alice.delete_user("alice").await.expect_err("forbidden"),
        alice.add_token(token("bob", 3, None)).await.expect_err("forbidden"),
        alice.tokens(Some("bob")).await.expect_err("forbidden"),
        alice.revoke_token(bobs.id, Some("bob")).await.expect_err("forbidden"),
        alice.end_sessions("bob").await.expect_err("forbidden"),
        alice.remove_expired().await.expect_err("forbidden"),
    ] {
        assert!(matches!(error, CatalogError::Forbidden { .. }), "{error}");
        assert!(error.to_string().starts_with("user `alice` may not "), "{error}");
    }
    assert!(!alice.revoke_token(bobs.id, None).await.expect("asked"));
    assert_eq!(alice.token([1; 32]).await.expect("asked"), None);
    assert_eq!(alice.session([2; 32]).await.expect("asked"), None);
    alice.end_session([2; 32]).await.expect("asked");
    assert!(place.store.session([2; 32]).await.expect("asked").is_some());
    alice.add_token(token("alice", 4, None)).await.expect("added");
    assert_eq!(alice.tokens(None).await.expect("listed").len(), 1);
    alice.change_user("alice", password).await.expect("changed");
}
