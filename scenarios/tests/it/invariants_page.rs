//! Owns the claim that the page on invariants says what the code says.

use std::path::Path;

const HEAD: &str = "# Invariants

This page is written by a test out of `scenarios/src/judge/` and `fixtures/src/statics/`; each invariant and each check is
one file there, which says its oracle, its thresholds with units and where they come from, what a run must contain to be able
to show it, and what makes it inconclusive.

A verdict is `held`, `violated`, `inconclusive`, or `not-judged`: this run could not have shown it, and its reason says what
would.

## In a run

A scenario names what it judges: `invariants = [\"standard\", \"D6\"]`. `standard` is Z1, S5, A1 and R1, and what is judged
where a file does not say.
S5, Z1, Z5 and R1 say that something is wrong; where an invariant of one mechanism finds the same service, theirs is marked as
a consequence of that.

| id | title | what must be true |
|---|---|---|
";

const STATIC: &str = "
## Without a run

`blackstart check` tells these of graphs, and of scenarios with their own traffic, with file, line, column and what to
change. G1 stops a graph from being one (exit 64); a finding of the others is exit 1. A ledger of known gaps accepts what is
meant: an entry names the graph as its scenario, the check as its invariant, the service, an owner, a last day and a reason.

| id | title | what must be true |
|---|---|---|
";

const TAIL: &str = "
## Proof in both directions

`blackstart matrix` plays, for each invariant, a defect that must be found and its twin, which differs in the repair alone and
must be held; each seed is looked at as it is, without anything that instances say of themselves, and with the names of all
services exchanged. Its table is `harness/figures/matrix.txt`, and a test regenerates what is simulated in it.

| defect | after |
|---|---|
| [`github-2016`](incidents/github-2016.md) | GitHub, 28 January 2016: <https://github.blog/news-insights/company-news/january-28th-incident-report/> |
| [`github-2018`](incidents/github-2018.md) | GitHub, 21 October 2018: <https://github.blog/news-insights/company-news/oct21-post-incident-analysis/> |
| [`eu-west-2011`](incidents/eu-west-2011.md) | AWS EU-West, 7 August 2011: <https://aws.amazon.com/message/2329B7> |
| [`cloudflare-2023`](incidents/cloudflare-2023.md) | Cloudflare, 2 November 2023: <https://blog.cloudflare.com/post-mortem-on-cloudflare-control-plane-and-analytics-outage> |
| [`slack-2021`](incidents/slack-2021.md) | Slack, 4 January 2021: <https://slack.engineering/slacks-outage-on-january-4th-2021> |
| [`us-east-2012`](incidents/us-east-2012.md) | AWS US East, 29 June 2012: <https://aws.amazon.com/message/67457> |
| [`s3-2017`](incidents/s3-2017.md) | Amazon S3, 28 February 2017: <https://aws.amazon.com/message/41926> |
| [`google-2020`](incidents/google-2020.md) | Google, 14 December 2020: <https://status.cloud.google.com/incident/zall/20013> |
| [`facebook-2021`](incidents/facebook-2021.md) | Facebook, 4 October 2021: <https://engineering.fb.com/2021/10/05/networking-traffic/outage-details> |
| [`roblox-2021`](incidents/roblox-2021.md) | Roblox, 28 October 2021: <https://blog.roblox.com/2022/01/roblox-return-to-service-10-28-10-31-2021> |
| [`aws-2021`](incidents/aws-2021.md) | AWS US East, 7 December 2021: <https://aws.amazon.com/message/12721> |
| [`cold-cache`](incidents/cold-cache.md) | Slack, 22 February 2022: <https://slack.engineering/slacks-incident-on-2-22-22/> |
| [`google-2025`](incidents/google-2025.md) | Google Cloud, 12 June 2025: <https://status.cloud.google.com/incidents/ow5i3PPK96RduMcb1SsW> |
| `retry-storm`, `impatient-customers` | Huang et al., Metastable Failures in the Wild, OSDI 2022 |

The header of each graph says what happened, what is modelled and what is left out; [incidents/](incidents/README.md) has a
page for each incident, with what its game day finds and what its twin changes. Names of services and teams are invented;
nothing is said of anybody's present systems.

## Measured

`blackstart measure GRAPH` starts each service alone (S1; name servers, where a graph has any, are left on), gives power back
in many orders and tells the best and the worst
(S4, S5), and cuts every edge while its caller serves and while it starts, to compare what is declared with what is measured
(D1).

## Where thresholds come from

| what | source |
|---|---|
| N/(N-1), zones at two thirds | static stability using availability zones: <https://aws.amazon.com/builders-library/static-stability-using-availability-zones> |
| scopes, control planes, data planes | AWS fault isolation boundaries: <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/abstract-and-introduction.html> |
| one retry and then give up; time-outs along a path | <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter>, and the operational readiness review |
| attempts of one layer (D2) | the default of the AWS SDKs: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html> |
| three failures of a liveness check | the default of Kubernetes |
| availability, latency, times to shift and to recover | the scenario |
";

#[test]
fn the_page_on_invariants_says_what_the_code_says() {
    let mut text = HEAD.to_owned();
    for entry in scenarios::judge::catalogue() {
        text += &format!("| {} | {} | {} |\n", entry.id, entry.title, entry.statement);
    }
    text += STATIC;
    for check in fixtures::statics::catalogue() {
        text += &format!("| {} | {} | {} |\n", check.id, check.title, check.statement);
    }
    text += TAIL;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/invariants.md");
    if std::env::var_os("BLACKSTART_BLESS").is_some() {
        std::fs::write(&path, &text).expect("writable");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{} is stale: run the tests with BLACKSTART_BLESS=1", path.display());
}
