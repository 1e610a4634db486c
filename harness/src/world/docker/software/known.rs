//! Owns what the engine knows of the images that a graph names, before anything is made of them. Refuses to fetch any.

use crate::load::BadInput;
use crate::world::docker::engine::{Engine, ImageFacts};
use anyhow::Result;
use fixtures::graph::Graph;
use std::collections::BTreeMap;

/// What the images of a graph say of themselves.
///
/// # Errors
/// Every one that cannot be used, at once; an engine that does not answer.
pub async fn known_images(engine: &Engine, graph: &Graph) -> Result<BTreeMap<String, ImageFacts>> {
    let (mut known, mut problems) = (BTreeMap::new(), String::new());
    for service in &graph.services {
        let Some(image) = &service.image else { continue };
        match engine.image_facts(&image.reference).await? {
            None => {
                problems += &format!(
                    "error: service `{}`: the engine has no image `{}`, and none is pulled\nhelp: build it, or `docker load` or \
                     `docker pull` it; `--mock` plays the service as mock software\n",
                    service.name, image.reference
                );
            }
            Some(facts) => {
                let empty = facts.entrypoint.is_empty() && facts.command.is_empty();
                let says_nothing = image.entrypoint.is_none() && image.command.is_none();
                if empty && says_nothing {
                    let (name, reference) = (&service.name, &image.reference);
                    problems += &format!(
                        "error: service `{name}`: image `{reference}` has neither entrypoint nor command\nhelp: give one of \
                         them in `[services.image]`\n"
                    );
                }
                if let Some(clash) = super::clash(image, &facts) {
                    problems += &format!("error: service `{}`: {clash}\n", service.name);
                }
                known.insert(image.reference.clone(), facts);
            }
        }
    }
    if problems.is_empty() { Ok(known) } else { Err(BadInput { text: problems }.into()) }
}
