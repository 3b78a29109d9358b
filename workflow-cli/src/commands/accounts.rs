//! Accounts and API tokens of the server.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::time::SystemTime;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use workflow_server::{NewPassword, TokenRequest};
use workflow_store::{ApiToken, NewUser, TokenScope, User, UserChange, UserQuery};

use crate::args::{ListFormat, StoreArguments, parse_duration};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::render::{rfc3339, time};

/// Manage who may use the server
///
/// Once an account has a password, callers of the server must sign in or send a token.
#[derive(Debug, Args)]
pub(crate) struct UserArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    #[command(subcommand)]
    action: UserAction,
}

#[derive(Debug, Subcommand)]
enum UserAction {
    /// Add an account; its password is read from standard input
    Add {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
        /// Sees everybody's workflows and runs, and may change accounts
        #[arg(long)]
        staff: bool,
    },
    /// Set another password, which is read from standard input; ends the account's sessions
    Password {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List accounts
    List {
        /// How to write them
        #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
        format: ListFormat,
    },
    /// Delete an account and its tokens; its workflows stay
    Delete {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

pub(crate) fn user(wanted: &UserArguments) -> Result<Outcome, Failure> {
    let store = wanted.store.open_or_create()?;
    match &wanted.action {
        UserAction::Add { name, staff } => {
            let password_hash = Some(password()?.into_hash());
            let new = NewUser { username: name.clone(), password_hash, is_staff: *staff };
            let user = pollster::block_on(store.add_user(new))?;
            output::message(format_args!("`{}` may sign in", user.username));
        }
        UserAction::Password { name } => {
            let password_hash = Some(password()?.into_hash());
            let change = UserChange { password_hash, ..UserChange::default() };
            pollster::block_on(store.change_user(name, change))?;
            output::message(format_args!("`{name}` has another password"));
        }
        UserAction::List { format } => list_users(&all_users(&*store)?, *format)?,
        UserAction::Delete { name } => {
            pollster::block_on(store.delete_user(name))?;
            output::message(format_args!("`{name}` is no account any more"));
        }
    }
    Ok(Outcome::Success)
}

fn all_users(store: &dyn workflow_store::Catalog) -> Result<Vec<User>, Failure> {
    let (mut users, mut after) = (Vec::new(), None);
    loop {
        let page = pollster::block_on(store.users(UserQuery { after, limit: Some(1000) }))?;
        users.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(users);
        }
    }
}

fn list_users(users: &[User], format: ListFormat) -> Result<(), Failure> {
    if format == ListFormat::Json {
        let rows = users.iter().map(|user| {
            json!({
                "username": user.username, "is_staff": user.is_staff, "is_active": user.is_active,
                "has_password": user.password_hash.is_some(), "created_at": user.created_at.map(rfc3339),
            })
        });
        return output::print_json(&rows.collect::<Vec<_>>());
    }
    let mut table = output::table();
    table.set_header(["NAME", "STAFF", "SIGNS IN", "SINCE"]);
    for user in users {
        let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let signs_in = user.is_active && user.password_hash.is_some();
        let since = time(user.created_at);
        table.add_row([user.username.clone(), yes(user.is_staff), yes(signs_in), since]);
    }
    output::print(|out| output::write_table(out, table))
}

/// Reads a password: without showing it from a terminal, and else the first line.
fn password() -> Result<NewPassword, Failure> {
    let unreadable =
        |error: io::Error| Failure::Usage(format!("the password cannot be read: {error}"));
    let password = if io::stdin().is_terminal() {
        let ask = |what: &str| {
            output::prompt(what).map_err(unreadable)?;
            console::Term::stderr().read_secure_line().map_err(unreadable)
        };
        let password = ask("password: ")?;
        if ask("again: ")? != password {
            return Err(Failure::Usage("the two passwords are not the same".to_owned()));
        }
        password
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(unreadable)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    NewPassword::new(&password)
        .map_err(|error| Failure::Usage(format!("the password {error}; choose another")))
}

/// Manage API tokens, which programs send as `Authorization: Bearer ..`
#[derive(Debug, Args)]
pub(crate) struct TokenArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// Make a token, and print it: it is shown this once
    Create {
        /// Whose it is
        #[arg(value_name = "USER")]
        user: String,
        /// What it is for
        #[arg(long, value_name = "NAME", default_value = "token")]
        name: String,
        /// The most that it allows
        #[arg(long, value_enum, value_name = "SCOPE", default_value = "read")]
        scope: Scope,
        /// For how long it is good, such as 30d; `never` for as long as it is not revoked
        #[arg(long, value_name = "TIME", default_value = "90d", value_parser = parse_lifetime)]
        expires_in: Lifetime,
    },
    /// List tokens
    List {
        /// Only this user's
        #[arg(value_name = "USER")]
        user: Option<String>,
        /// How to write them
        #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
        format: ListFormat,
    },
    /// Make a token of no use from now on
    Revoke {
        /// Its number, as `list` shows it
        #[arg(value_name = "ID")]
        id: i64,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scope {
    /// Looks
    Read,
    /// Begins, stops and repeats runs
    Run,
    /// Changes workflows
    Write,
    /// Changes accounts, if the user is staff
    Admin,
}

/// For how long a token is good.
#[derive(Debug, Clone, Copy)]
struct Lifetime(Option<std::time::Duration>);

fn parse_lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "never" {
        return Ok(Lifetime(None));
    }
    parse_duration(text).map(|time| Lifetime(Some(time)))
}

pub(crate) fn token(wanted: &TokenArguments) -> Result<Outcome, Failure> {
    let store = wanted.store.open_existing()?;
    match &wanted.action {
        TokenAction::Create { user, name, scope, expires_in } => {
            let scope = match scope {
                Scope::Read => TokenScope::Read,
                Scope::Run => TokenScope::Run,
                Scope::Write => TokenScope::Write,
                Scope::Admin => TokenScope::Admin,
            };
            let expires_at = expires_in.0.and_then(|time| SystemTime::now().checked_add(time));
            let (user, name) = (user.clone(), name.clone());
            let made = TokenRequest { user, name, scope, expires_at }.issue();
            let (new, token) = made.map_err(|error| Failure::Machine {
                what: "no token can be made".to_owned(),
                error,
            })?;
            pollster::block_on(store.add_token(new))?;
            output::print(|out| writeln!(out, "{token}"))?;
            output::message("the token is shown this once; keep it as you keep a password");
        }
        TokenAction::List { user, format } => {
            list_tokens(&pollster::block_on(store.tokens(user.as_deref()))?, *format)?;
        }
        TokenAction::Revoke { id } => {
            if !pollster::block_on(store.revoke_token(*id, None))? {
                return Err(Failure::Usage(format!("there is no token {id}; see `token list`")));
            }
            output::message(format_args!("token {id} is of no use any more"));
        }
    }
    Ok(Outcome::Success)
}

fn list_tokens(tokens: &[ApiToken], format: ListFormat) -> Result<(), Failure> {
    if format == ListFormat::Json {
        let rows = tokens.iter().map(|token| {
            json!({
                "id": token.id, "name": token.name, "user": token.user,
                "scope": token.scope.as_str(), "created_at": rfc3339(token.created_at),
                "expires_at": token.expires_at.map(rfc3339),
                "last_used_at": token.last_used_at.map(rfc3339),
            })
        });
        return output::print_json(&rows.collect::<Vec<_>>());
    }
    let mut table = output::table();
    table.set_header(["ID", "NAME", "USER", "SCOPE", "EXPIRES", "LAST USED"]);
    for token in tokens {
        table.add_row([
            token.id.to_string(),
            token.name.clone(),
            token.user.clone(),
            token.scope.as_str().to_owned(),
            time(token.expires_at),
            time(token.last_used_at),
        ]);
    }
    output::print(|out| output::write_table(out, table))
}
