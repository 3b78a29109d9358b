//! `user` and `token`: accounts and API tokens of the server.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::time::SystemTime;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use workflow_core::error_text::io_reason;
use workflow_core::event::format_time;
use workflow_server::{NewPassword, TokenRequest};
use workflow_store::time::parse_duration;
use workflow_store::{ApiToken, CatalogError, NewUser, TokenScope, User, UserChange, UserQuery};

use crate::args::{ListFormat, StoreArguments, integer};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::render::time;

/// Manage user accounts of the server
///
/// As soon as one account has a password, all callers must sign in or send a token.
#[derive(Debug, Args)]
#[command(after_help = USER_EXAMPLES)]
pub(crate) struct UserArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    #[command(subcommand)]
    action: UserAction,
}

const USER_EXAMPLES: &str = "\
Examples:
  workflow user add ada --staff
  workflow user password ada < password.txt
  workflow user list -f json | jq -r '.[].username'
  workflow user delete ada";

#[derive(Debug, Subcommand)]
enum UserAction {
    /// Add an account; reads its password from standard input
    Add {
        /// User name
        #[arg(value_name = "NAME")]
        name: String,
        /// Allow the user to see all workflows and runs, and to manage accounts
        #[arg(long)]
        staff: bool,
    },
    /// Change a password, read from standard input; signs the user out everywhere
    Password {
        /// User name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List accounts
    List {
        /// Output format
        #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
        format: ListFormat,
    },
    /// Delete an account and its tokens; its workflows stay, and become inactive
    Delete {
        /// User name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

pub(crate) fn user(args: &UserArguments) -> Result<Outcome, Failure> {
    let store = args.store.open_or_create()?;
    match &args.action {
        UserAction::Add { name, staff } => {
            let password_hash = Some(password()?.into_hash());
            let new = NewUser { username: name.clone(), password_hash, is_staff: *staff };
            let user = pollster::block_on(store.add_user(new))?;
            output::message(format_args!("added user `{}`", user.username));
        }
        UserAction::Password { name } => {
            let password_hash = Some(password()?.into_hash());
            let change = UserChange { password_hash, ..UserChange::default() };
            pollster::block_on(store.change_user(name, change))?;
            output::message(format_args!("changed the password of `{name}`"));
        }
        UserAction::List { format } => list_users(&all_users(&*store)?, *format)?,
        UserAction::Delete { name } => {
            let workflows = match pollster::block_on(store.delete_user(name))? {
                0 => String::new(),
                1 => "; 1 workflow has no owner now, and is inactive".to_owned(),
                count => format!("; {count} workflows have no owner now, and are inactive"),
            };
            output::message(format_args!("deleted user `{name}`{workflows}"));
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
                "has_password": user.password_hash.is_some(), "created_at": user.created_at.map(format_time),
            })
        });
        return output::print_json(&rows.collect::<Vec<_>>());
    }
    let mut table = output::table();
    table.set_header(["NAME", "STAFF", "CAN SIGN IN", "CREATED"]);
    for user in users {
        let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let signs_in = user.is_active && user.password_hash.is_some();
        let since = time(user.created_at);
        table.add_row([user.username.clone(), yes(user.is_staff), yes(signs_in), since]);
    }
    output::print(|out| output::write_table(out, table))
}

/// Reads a password: hidden and twice from a terminal, or else the first line of standard input.
fn password() -> Result<NewPassword, Failure> {
    let unreadable = |error: io::Error| {
        Failure::Usage(format!("cannot read the password: {}", io_reason(&error)))
    };
    let password = if io::stdin().is_terminal() {
        let ask = |what: &str| {
            output::prompt(what).map_err(unreadable)?;
            console::Term::stderr().read_secure_line().map_err(unreadable)
        };
        let password = ask("password: ")?;
        if ask("repeat password: ")? != password {
            return Err(Failure::Usage("the passwords do not match".to_owned()));
        }
        password
    } else {
        let mut line = String::new();
        io::stdin().lock().take(MAX_LINE).read_line(&mut line).map_err(unreadable)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    NewPassword::new(&password)
        .map_err(|error| Failure::Usage(format!("the password {error}; choose another")))
}

/// The bytes of a line that are read; more than the longest password has.
const MAX_LINE: u64 = 8 << 10;

/// Manage API tokens of the server
///
/// Programs send a token in the header `Authorization: Bearer TOKEN`.
#[derive(Debug, Args)]
#[command(after_help = TOKEN_EXAMPLES)]
pub(crate) struct TokenArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    #[command(subcommand)]
    action: TokenAction,
}

const TOKEN_EXAMPLES: &str = "\
Examples:
  workflow token create ada --name ci --scope run --expires-in 30d
  workflow token list ada
  workflow token revoke 7";

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// Create a token and print it; it cannot be shown again
    Create {
        /// User name of the owner
        #[arg(value_name = "USER")]
        user: String,
        /// Name that describes the use of the token
        #[arg(long, value_name = "NAME", default_value = "token")]
        name: String,
        /// Rights of the token, limited by those of the user
        #[arg(long, value_enum, value_name = "SCOPE", default_value = "read")]
        scope: Scope,
        /// Time until the token expires, such as 30d, or `never`
        #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = parse_lifetime)]
        expires_in: Lifetime,
    },
    /// List tokens
    List {
        /// Only tokens of this user
        #[arg(value_name = "USER")]
        user: Option<String>,
        /// Output format
        #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
        format: ListFormat,
    },
    /// Revoke a token
    Revoke {
        /// Token ID, as shown by `token list`
        #[arg(value_name = "ID", value_parser = integer::<i64>(1..))]
        id: i64,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scope {
    /// Read workflows and runs
    Read,
    /// Also start, cancel and retry runs
    Run,
    /// Also change workflows
    Write,
    /// Also manage accounts, if the user is staff
    Admin,
}

/// The time until a token expires, or `None` for never.
#[derive(Debug, Clone, Copy)]
struct Lifetime(Option<std::time::Duration>);

fn parse_lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "never" {
        return Ok(Lifetime(None));
    }
    let time = parse_duration(text).map_err(|error| format!("{error}, or `never`"))?;
    Ok(Lifetime(Some(time)))
}

pub(crate) fn token(args: &TokenArguments) -> Result<Outcome, Failure> {
    let store = args.store.open_existing()?;
    match &args.action {
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
                what: "cannot create a token".to_owned(),
                error,
            })?;
            pollster::block_on(store.add_token(new))?;
            output::print(|out| writeln!(out, "{token}"))?;
            output::message("store the token safely: it cannot be shown again");
        }
        TokenAction::List { user, format } => {
            if let Some(name) = user
                && pollster::block_on(store.user(name))?.is_none()
            {
                return Err(CatalogError::NoUser(name.clone()).into());
            }
            list_tokens(&pollster::block_on(store.tokens(user.as_deref()))?, *format)?;
        }
        TokenAction::Revoke { id } => {
            if !pollster::block_on(store.revoke_token(*id, None))? {
                return Err(Failure::Usage(format!("no token {id}; see `token list`")));
            }
            output::message(format_args!("revoked token {id}"));
        }
    }
    Ok(Outcome::Success)
}

fn list_tokens(tokens: &[ApiToken], format: ListFormat) -> Result<(), Failure> {
    if format == ListFormat::Json {
        return output::print_json(&tokens);
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
