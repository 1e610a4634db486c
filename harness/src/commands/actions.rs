//! Owns `blackstart coe actions`: actions of corrections over all runs. Refuses to close one: only runs do.

use super::print;
use crate::cli::{ActionsArgs, ListFormat};
use crate::load;
use anyhow::Result;
use reports::actions::{Action, Told, actions};

/// Lists actions.
///
/// # Errors
/// Bad input: no such folder, a policy that cannot be read. A history that cannot be used.
pub fn run(args: &ActionsArgs, color: bool) -> Result<u8> {
    let policy = load::policy(args.policy.as_deref(), color)?;
    let history = super::history::open(&args.runs)?;
    let today = crate::clock::today();
    let wanted = |action: &Action| {
        args.state.takes(action.state)
            && args.team.as_deref().is_none_or(|team| action.team.as_ref().is_some_and(|own| own.as_str() == team))
            && args.scenario.as_deref().is_none_or(|scenario| action.scenario == scenario)
            && (!args.overdue || action.overdue(&policy, today).is_some())
    };
    let actions: Vec<Action> = actions(&history.with_findings()?).into_iter().filter(wanted).collect();
    let told = Told { actions: &actions, policy: &policy, today };
    print(&match args.format {
        ListFormat::Text => told.text(),
        ListFormat::Json => told.json(),
        ListFormat::Markdown => told.page().markdown(),
        ListFormat::Html => told.page().html(),
    })?;
    Ok(crate::exit::OK)
}
