//! Routes: who takes what, what is inherited, how what is wrong is named; and random trees against a plain walk.

use std::time::Duration;

use alerting::{GroupBy, Labels, Matcher, RouteSpec, Routes, Step, parse_list};
use proptest::prelude::*;

use super::oracle;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn labels(text: &str) -> Labels {
    Labels::from_pairs(parse_list(text).unwrap().iter().map(|m| (m.name().to_owned(), m.value().to_owned()))).unwrap()
}

fn spec(matchers: &str, receiver: &str, routes: Vec<RouteSpec>) -> RouteSpec {
    let receiver = (!receiver.is_empty()).then(|| receiver.to_owned());
    RouteSpec { matchers: parse_list(matchers).unwrap(), receiver, routes, ..RouteSpec::default() }
}

fn anybody(_: &str) -> bool {
    true
}

fn house() -> Routes {
    let on_call = RouteSpec { goes_on: true, ..spec("severity=critical", "on-call", vec![]) };
    let db =
        spec("team=db", "dba", vec![spec("severity=info", "archive", vec![]), spec("host=~\"db-.*\"", "", vec![])]);
    Routes::build(&spec("", "operators", vec![on_call, db, spec("team=~\"web|app\"", "web", vec![])]), &anybody)
        .unwrap()
}

#[test]
fn an_alert_goes_to_the_first_that_takes_it_and_on_where_that_is_said() {
    let told = |text: &str| house().resolve(&labels(text)).iter().map(|r| r.receiver.clone()).collect::<Vec<_>>();
    assert_eq!(told("severity=warning"), ["operators"], "what nobody takes is the root's");
    assert_eq!(told(""), ["operators"]);
    assert_eq!(told("severity=critical"), ["on-call"]);
    assert_eq!(told("severity=critical,team=db"), ["on-call", "dba"]);
    assert_eq!(told("severity=info,team=db"), ["archive"]);
    assert_eq!(told("severity=warning,team=db,host=db-1"), ["dba"], "a receiver is inherited");
    assert_eq!(told("team=app"), ["web"]);
    assert_eq!(told("team=apple"), ["operators"], "expressions are anchored");
}

#[test]
fn what_a_node_does_not_say_it_has_from_above() {
    let mut root = spec("", "operators", vec![]);
    root.group_by = Some(vec!["alertname".to_owned(), "team".to_owned()]);
    root.group_wait = Some(seconds(1));
    root.escalate = Some(vec![Step { after: seconds(900), receiver: "boss".to_owned() }]);
    let mut child = spec("team=db", "dba", vec![spec("host=a", "", vec![])]);
    child.group_interval = Some(seconds(60));
    child.routes[0].escalate = Some(vec![]);
    child.routes[0].group_by = Some(vec!["...".to_owned()]);
    root.routes.push(child);
    let routes = Routes::build(&root, &anybody).unwrap();
    let [root, db, host] = routes.all()[..] else { panic!("three nodes") };
    assert_eq!((db.timing.group_wait, db.timing.group_interval), (seconds(1), seconds(60)));
    assert_eq!(db.timing.repeat_interval, seconds(4 * 3600));
    assert_eq!(root.timing.group_interval, seconds(300));
    assert_eq!((db.escalation.len(), host.escalation.len()), (1, 0), "an empty list takes it out");
    assert_eq!(host.group_by, GroupBy::All);
    assert_eq!(host.receiver, "dba");
    assert_eq!(host.key, "{}/{team=\"db\"}/{host=\"a\"}");
    assert_eq!(routes.by_key(&host.key), Some(host));
    assert_eq!(routes.by_key("{}/{gone=\"x\"}"), None);
}

#[test]
fn twins_have_keys_of_their_own() {
    let twins = vec![spec("a=b", "x", vec![]), spec("a=b", "y", vec![]), spec("a=b", "z", vec![])];
    let routes = Routes::build(&spec("", "o", twins), &anybody).unwrap();
    let keys: Vec<_> = routes.all().iter().map(|route| route.key.clone()).collect();
    assert_eq!(keys, ["{}", "{}/{a=\"b\"}", "{}/{a=\"b\"}#2", "{}/{a=\"b\"}#3"]);
}

#[test]
fn a_group_is_what_its_labels_say() {
    let mut root = spec("", "o", vec![]);
    root.group_by = Some(vec!["team".to_owned(), "zone".to_owned()]);
    let routes = Routes::build(&root, &anybody).unwrap();
    let route = routes.all()[0];
    assert_eq!(route.group(&labels("team=db,host=a")), labels("team=db"));
    assert_eq!(route.group_id(&labels("team=db,host=a")), route.group_id(&labels("team=db,host=b")));
    assert_ne!(route.group_id(&labels("team=db")), route.group_id(&labels("team=db,zone=eu")));
}

#[test]
fn what_is_wrong_is_named_by_its_path_and_all_at_once() {
    let mut root = spec("", "nobody", vec![spec("a=b", "ghost", vec![spec("", "", vec![])])]);
    root.repeat_interval = Some(seconds(1));
    root.routes[0].routes[0].group_by = Some(vec!["no-label".to_owned()]);
    root.routes[0].escalate = Some(vec![
        Step { after: seconds(60), receiver: "operators".to_owned() },
        Step { after: seconds(60), receiver: "phantom".to_owned() },
    ]);
    let wrong = Routes::build(&root, &|name| name == "operators").unwrap_err();
    let fields: Vec<_> = wrong.iter().map(|w| w.field.as_str()).collect();
    let expected = [
        "repeat_interval",
        "receiver",
        "routes[0].repeat_interval",
        "routes[0].receiver",
        "routes[0].escalate[1].after",
        "routes[0].escalate[1].receiver",
        "routes[0].routes[0].group_by",
        "routes[0].routes[0].repeat_interval",
    ];
    assert_eq!(fields, expected);
    assert!(wrong[3].message.contains("\"ghost\""), "{}", wrong[3]);
    let nameless = Routes::build(&RouteSpec::default(), &|_| false).unwrap_err();
    assert_eq!(nameless[0].to_string(), "receiver: must name a receiver");
    let picky = Routes::build(&spec("a=b", "o", vec![]), &anybody).unwrap_err();
    assert_eq!(picky[0].to_string(), "match: the root takes everything");
}

#[test]
fn a_tree_is_neither_too_deep_nor_too_large() {
    let deep = (0..10).fold(spec("", "o", vec![]), |inner, _| spec("", "o", vec![inner]));
    assert!(Routes::build(&deep, &anybody).unwrap_err()[0].message.contains("deeper"));
    let wide = spec("", "o", vec![spec("a=b", "", vec![]); 1_000]);
    assert!(Routes::build(&wide, &anybody).unwrap_err()[0].message.contains("more than 1000"));
}

fn tree() -> impl Strategy<Value = RouteSpec> {
    let leaf = node(Just(Vec::new()));
    leaf.prop_recursive(4, 24, 4, |inner| node(prop::collection::vec(inner, 0..4)))
}

fn node(children: impl Strategy<Value = Vec<RouteSpec>>) -> impl Strategy<Value = RouteSpec> {
    let matchers = prop::collection::vec(oracle::matcher(), 0..2);
    (matchers, any::<bool>(), children).prop_map(|(matchers, goes_on, routes)| RouteSpec {
        matchers,
        goes_on,
        routes,
        ..RouteSpec::default()
    })
}

/// The same as `Routes::resolve`, said in the plainest way: paths of indexes.
fn walk(spec: &RouteSpec, labels: &Labels, path: &str) -> Vec<String> {
    let fits = |matchers: &[Matcher]| matchers.iter().all(|matcher| oracle::fits(matcher, labels));
    let mut taken = Vec::new();
    for (i, child) in spec.routes.iter().enumerate().filter(|(_, child)| fits(&child.matchers)) {
        taken.extend(walk(child, labels, &format!("{path}.{i}")));
        if !child.goes_on {
            break;
        }
    }
    if taken.is_empty() { vec![path.to_owned()] } else { taken }
}

/// Every node's receiver is its own path.
fn named(mut spec: RouteSpec, path: &str) -> RouteSpec {
    spec.receiver = Some(path.to_owned());
    spec.routes = spec.routes.into_iter().enumerate().map(|(i, child)| named(child, &format!("{path}.{i}"))).collect();
    spec
}

proptest! {
    #[test]
    fn random_trees_are_walked_as_a_plain_walk_does(tree in tree(), labels in oracle::labels()) {
        let root = named(RouteSpec { matchers: Vec::new(), ..tree }, "r");
        let routes = Routes::build(&root, &anybody).unwrap();
        let told: Vec<_> = routes.resolve(&labels).iter().map(|route| route.receiver.clone()).collect();
        prop_assert_eq!(&told, &walk(&root, &labels, "r"));
        prop_assert!(!told.is_empty(), "everything reaches somebody");
        let keys: std::collections::BTreeSet<_> = routes.all().iter().map(|route| route.key.clone()).collect();
        prop_assert_eq!(keys.len(), routes.all().len());
    }
}
