//! Owns the files that services which are images take from beside their graph, and what can be done with such a graph where
//! there is no engine. Refuses to look at images themselves.

use super::BadInput;
use fixtures::decode::SOURCE_BYTES_MAX;
use fixtures::diagnostic::Source;
use fixtures::graph::Graph;
use fixtures::graph::image::{FileContent, template};
use std::io::Read;
use std::path::Path;

/// Reads every file that an image of this graph takes from beside the graph's own; what is wrong with any of them is told at
/// once, ready to print.
pub(super) fn fill(graph: &mut Graph, source: &Source) -> String {
    let folder = Path::new(&source.name).parent().unwrap_or(Path::new("")).to_path_buf();
    let mut problems = String::new();
    for service in &mut graph.services {
        let name = service.name.clone();
        for file in service.image.iter_mut().flat_map(|image| &mut image.files) {
            let FileContent::From(from) = &file.content else { continue };
            match read(&folder.join(from)) {
                Ok(text) => file.content = FileContent::Text(text),
                Err(why) => {
                    let path = &file.path;
                    problems += &format!(
                        "error: {}: service `{name}`, file {path}: {why}\nhelp: `from` is a path from the folder of the graph's file\n",
                        source.name
                    );
                }
            }
        }
    }
    problems
}

fn read(path: &Path) -> Result<String, String> {
    let told = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let file = std::fs::File::open(path).map_err(told)?;
    let mut text = String::new();
    let most = u64::try_from(SOURCE_BYTES_MAX).unwrap_or(u64::MAX);
    file.take(most).read_to_string(&mut text).map_err(told)?;
    match template::parse(&text) {
        Ok(_) => Ok(text),
        Err(wrong) => Err(format!("{}: nothing stands for `{{{wrong}}}`", path.display())),
    }
}

/// Whether a graph can be played in virtual time. Real software runs in no simulator: who asks for one has to say that its
/// shape is enough.
///
/// # Errors
/// Where a service is a real image, with the ways on.
pub fn in_virtual_time(graph: &Graph) -> Result<(), BadInput> {
    let real: Vec<&str> =
        graph.services.iter().filter(|service| service.image.is_some()).map(|service| service.name.as_str()).collect();
    if real.is_empty() {
        return Ok(());
    }
    let text = format!(
        "error: graph `{}` has real images ({}), and virtual time runs none\nhelp: `blackstart run --world docker` runs them \
         on an engine; `blackstart run --mock` plays each as a mock service of the same shape, and says nothing of the \
         software itself\n",
        graph.name,
        real.join(", ")
    );
    Err(BadInput { text })
}
