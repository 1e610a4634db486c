//! Owns a game day on a project that somebody else started: what is there, whether it may be held, and every reason why not, before
//! anything is done. Refuses to know how it is held.

use super::{Day, Left};
use crate::load::BadInput;
use crate::run::Stop;
use crate::world::docker::attached::fit::{Wish, asked_from_outside, fit};
use crate::world::docker::attached::run_attached_to;
use crate::world::docker::engine::{Engine, EngineInfo};
use anyhow::Result;

impl Day<'_> {
    /// Holds the game day on the project that was named, where there is one and it may be had.
    pub(super) async fn hold_on_project(
        mut self,
        project: &str,
        run: String,
        (engine, info): (&Engine, &EngineInfo),
        stop: &mut Stop,
    ) -> Result<Left> {
        let members = engine.members(project).await?;
        let other = run_attached_to(engine, project).await?;
        let attachment = fit(Wish {
            project,
            consent: self.args.yes_attach,
            members: &members,
            other: other.as_deref(),
            slices: info.systemd_cgroups,
            graph: &self.loaded.graph,
            placement: &self.loaded.placement,
            plan: &self.loaded.plan,
        });
        let attachment = attachment.map_err(|problems| refused(&self.loaded.scenario.name, project, &problems))?;
        self.attachment = Some(attachment);
        self.loaded.graph = asked_from_outside(self.loaded.graph);
        self.hold_on_engine(run, (engine, info), stop, None).await
    }
}

fn refused(scenario: &str, project: &str, problems: &[String]) -> BadInput {
    let mut text: String = problems.iter().map(|problem| format!("error: {problem}\n")).collect();
    text += &format!(
        "help: `{scenario}` cannot be held on project `{project}`, and nothing was done there; docs/attach.md has the terms\n"
    );
    BadInput { text }
}
