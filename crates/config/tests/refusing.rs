//! Every mistake is named: key, value, where it was set, and an example that works.

use std::path::Path;

use config::{Config, ConfigError};

fn refused(name: &str, value: &str) -> String {
    Config::load(None, [(name.to_owned(), value.to_owned())]).expect_err("it must be refused").to_string()
}

fn refused_file(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the scratch folder is writable");
    Config::load(Some(&path), [])
        .expect_err("it must be refused")
        .to_string()
        .replace(&path.display().to_string(), name)
}

#[test]
fn an_unknown_key_in_the_environment_is_named_with_its_variable_and_its_neighbours() {
    assert_eq!(
        refused("POSTRIDER__STORE__URLL", "sqlite:x"),
        "the configuration cannot be used\n  \
         store.urll: there is no such key; here there are: url, max_connections, acquire_timeout, migrate_on_start\n    \
         set by: environment variable POSTRIDER__STORE__URLL"
    );
}

#[test]
fn an_unknown_section_and_an_unknown_key_in_a_map_are_named() {
    assert!(refused("POSTRIDER__QUEU__URL", "x").contains("queu: there is no such key; here there are: api, queue,"));
    assert!(refused("POSTRIDER__QUEUES__EMAILS__WAIT", "1").contains("queues.emails.wait: there is no such key"));
    assert!(refused("POSTRIDER__QUEUE", "x").contains("queue: is not a key: write POSTRIDER__SECTION__KEY"));
    assert!(refused("POSTRIDER__QUEUE__", "x").contains("is not a key"));
}

#[test]
fn an_unknown_key_in_a_file_is_named_with_the_file() {
    assert_eq!(
        refused_file("unknown.toml", "[queue.redis]\nack_time = 3\n").lines().nth(2).unwrap_or_default(),
        "    set by: configuration file unknown.toml"
    );
}

#[test]
fn a_wrong_type_is_named_with_value_and_example() {
    assert_eq!(
        refused("POSTRIDER__WORKER__CONCURRENCY", "many"),
        "the configuration cannot be used\n  \
         worker.concurrency = \"many\": must be a whole number, not negative\n    \
         set by: environment variable POSTRIDER__WORKER__CONCURRENCY\n    \
         example: concurrency = 64 under [worker], or POSTRIDER__WORKER__CONCURRENCY=64"
    );
    assert!(refused("POSTRIDER__DEBUG__KINDS", "perhaps").contains("debug.kinds = \"perhaps\": must be true or false"));
    assert!(refused("POSTRIDER__WORKER__LOOPS", "-1").contains("worker.loops = \"-1\": must be a whole number"));
    assert!(refused_file("type.toml", "queue = 3\n").contains("queue = 3: must be a section with keys of its own"));
    assert!(refused_file("type2.toml", "[queue.prefix]\nx = 1\n").contains("queue.prefix: is a section, not a value"));
}

#[test]
fn a_value_out_of_range_is_named_with_its_range() {
    assert_eq!(
        refused("POSTRIDER__QUEUE__LEASE", "24h"),
        "the configuration cannot be used\n  \
         queue.lease = \"24h\": must be from 1s to 1h\n    \
         set by: environment variable POSTRIDER__QUEUE__LEASE\n    \
         example: lease = \"15s\" under [queue], or POSTRIDER__QUEUE__LEASE=15s"
    );
    assert!(refused("POSTRIDER__WORKER__CONCURRENCY", "0").contains("must be from 1 to 10000"));
    assert!(
        refused("POSTRIDER__QUEUES__EMAILS__WEIGHT", "0")
            .contains("queues.emails.weight = \"0\": must be from 1 to 100")
    );
}

#[test]
fn a_bad_length_of_time_says_how_one_is_written() {
    let text = refused("POSTRIDER__QUEUE__HEARTBEAT", "5 seconds");
    assert!(
        text.contains(r#"queue.heartbeat = "5 seconds": must be a length of time: seconds, or a text like "500ms""#),
        "{text}"
    );
    assert!(refused("POSTRIDER__API__BODY_LIMIT", "1MB").contains(r#"must be a size: bytes, or a text like "64KiB""#));
}

#[test]
fn a_bad_url_is_named_and_its_password_is_not() {
    let text = refused("POSTRIDER__QUEUE__URL", "redis://user:hunter2@host:99999/0");
    assert!(text.contains(r#"queue.url = "redis://[secret]@host:99999/0": has a port that is not a number"#), "{text}");
    assert!(text.contains("set by: environment variable POSTRIDER__QUEUE__URL"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(refused("POSTRIDER__STORE__URL", "mysql://h/db").contains("must begin with sqlite: or postgres://"));
    assert!(refused("POSTRIDER__MAIL__TRANSPORT", "relay.example").contains("must begin with smtp://"));
    assert!(refused("POSTRIDER__API__LISTEN", "localhost").contains("api.listen = \"localhost\""));
}

#[test]
fn values_that_contradict_each_other_are_named() {
    assert!(refused("POSTRIDER__QUEUE__HEARTBEAT", "10s").contains("must be at most a third of queue.lease (15s)"));
    assert!(
        refused("POSTRIDER__WORKER__SHUTDOWN_HARD", "10s").contains("must not be less than worker.shutdown_soft (20s)")
    );
    assert!(refused("POSTRIDER__API__METRICS_LISTEN", "127.0.0.1:8080").contains("must differ from api.listen"));
    assert!(refused("POSTRIDER__MAIL__DKIM__MAIN__SELECTOR", "s1").contains("mail.dkim.main.key_file: must be set"));
}

#[test]
fn a_bad_sender_is_named_and_a_line_break_never_reaches_a_header() {
    let text = refused("POSTRIDER__MAIL__SENDERS__HELLO__NAME", "Hello\r\nBcc: everyone@example.com");
    assert!(text.contains("mail.senders.hello.name"), "{text}");
    assert!(
        refused("POSTRIDER__MAIL__SENDERS__HELLO__ADDRESS", "Hello <hello@example.com>")
            .contains("must be a bare address")
    );
    let text = refused("POSTRIDER__MAIL__SENDERS__HELLO__CLASS", "spam");
    assert!(text.contains("must be one of booking, ") && text.contains("account, security, alert, report"), "{text}");
    let text = refused("POSTRIDER__MAIL__FALLBACK", "smtp://127.0.0.1:2525");
    assert!(text.contains("mail.fallback") && text.contains("mail.transport"), "{text}");
    let text = refused("POSTRIDER__MAIL__FALLBACK_EGRESS", "203.0.113.26");
    assert!(text.contains("mail.fallback_include") && text.contains("mail.fallback,"), "{text}");
    let both = |more: &[(&str, &str)]| {
        let set = [("TRANSPORT", "smtp://127.0.0.1:25"), ("FALLBACK", "smtp://127.0.0.1:26")];
        let key = ("POSTRIDER__SECRETS__KEYS__K1".to_owned(), "0123456789abcdef".repeat(4));
        let mail =
            set.iter().chain(more).map(|(name, value)| (format!("POSTRIDER__MAIL__{name}"), (*value).to_owned()));
        Config::load(None, mail.chain([key])).map_err(|e| e.to_string())
    };
    let text = both(&[]).expect_err("nobody knows what SPF must let in");
    assert!(text.contains("mail.fallback") && text.contains("fallback_include or fallback_egress"), "{text}");
    // Whether it is let in is judged by where a relay is: with another login it would be the same one.
    let again = [("TRANSPORT", "smtps://relay.example:465"), ("FALLBACK", "smtps://second:login@RELAY.example:465")];
    let text = both(&[again[0], again[1], ("FALLBACK_EGRESS", "203.0.113.26")]).expect_err("one relay twice");
    assert!(text.contains("has the host and the port of mail.transport"), "{text}");
    assert_eq!(
        both(&[("FALLBACK_INCLUDE", "spf.a.example,spf.b.example")]).expect("it is right").mail.fallback_include.len(),
        2
    );
    assert!(
        refused("POSTRIDER__MAIL__DOMAIN", "localhost").contains("mail.domain = \"localhost\": must be a domain name")
    );
}

#[test]
fn all_mistakes_are_shown_at_once() {
    let vars = [
        ("POSTRIDER__QUEUE__LEASE", "0s"),
        ("POSTRIDER__WORKER__LOOPS", "65"),
        ("POSTRIDER__TELEMETRY__LEVEL", "loud"),
    ];
    let error = Config::load(None, vars.map(|(n, v)| (n.to_owned(), v.to_owned()))).expect_err("it must be refused");
    let keys: Vec<_> = error.problems().iter().map(|p| p.key.as_str()).collect();
    assert_eq!(keys, ["queue.lease", "queue.heartbeat", "worker.loops", "telemetry.level"]);
}

#[test]
fn a_missing_or_broken_file_is_named() {
    let missing = Config::load(Some(Path::new("/nowhere/p.toml")), []).expect_err("it must be refused");
    assert!(matches!(missing, ConfigError::File { .. }));
    assert!(missing.to_string().starts_with("configuration file /nowhere/p.toml: "));
    let broken = refused_file("broken.toml", "[queue\n");
    assert!(broken.starts_with("configuration file broken.toml is not valid TOML: "), "{broken}");
    assert!(broken.contains("line 1"), "{broken}");
}

#[test]
fn where_mail_leaves_a_key_is_needed_and_a_bad_one_is_named_without_showing_it() {
    let text = refused("POSTRIDER__MAIL__TRANSPORT", "smtp://127.0.0.1");
    assert!(text.contains("secrets.keys: must hold a key, since mail.transport is set"), "{text}");
    let text = refused("POSTRIDER__SECRETS__KEYS__K1", "hunter2");
    assert!(text.contains("secrets.keys.k1 = [secret]: must be 256 random bits"), "{text}");
    assert!(text.contains("set by: environment variable POSTRIDER__SECRETS__KEYS__K1"), "{text}");
    assert!(text.contains("under [secrets.keys], or POSTRIDER__SECRETS__KEYS__K1="), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(refused("POSTRIDER__SECRETS__KEYS__K1", &"0".repeat(64)).contains("must be 256 random bits"));
    assert!(refused("POSTRIDER__SECRETS__CURRENT", "k2").contains("must be the id of one of secrets.keys"));
}

#[test]
fn a_file_of_keys_is_checked_without_showing_them() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keys.toml");
    let loaded = |text: &str| {
        std::fs::write(&path, text).expect("the scratch folder is writable");
        config::Secrets { keys_file: Some(path.clone()), ..Default::default() }.load()
    };
    let key = "0123456789abcdef".repeat(4);
    assert_eq!(loaded(&format!("k1 = \"{key}\"\n")).expect("one key")["k1"].expose(), key);
    for (bad, reason) in [
        (format!("k1 = \"{}\"\n", &key[1..]), "k1: must be 256 random bits"),
        (format!("K1 = \"{key}\"\n"), "must have an id"),
        (String::new(), "there is no key in the file"),
        (format!("{key}\n"), "one `id = \"key\"` a line is expected"),
    ] {
        let text = loaded(&bad).expect_err("it must be refused").to_string();
        assert!(text.contains(reason) && !text.contains(&key[1..]), "{text}");
    }
}

#[test]
fn the_items_of_a_list_are_named_and_both_ways_of_writing_one_are_read() {
    assert!(
        refused("POSTRIDER__MAIL__EGRESS", "192.0.2.1,here").contains(r#"has an item that cannot be used: "here""#)
    );
    assert!(refused("POSTRIDER__MAIL__DNS__SERVERS", "dns.example").contains("like 9.9.9.9 or 127.0.0.1:5353"));
    assert!(refused("POSTRIDER__MAIL__RELAY_INCLUDE", "include:x").contains("is no name of an SPF record"));
    assert!(refused("POSTRIDER__OUTBOUND__ALLOW", "10.0.0.0/33").contains("is no address and no network"));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lists.toml");
    std::fs::write(&path, "[mail]\negress = [\"192.0.2.1\", \"2001:db8::1\"]\n")
        .expect("the scratch folder is writable");
    let written = Config::load(Some(&path), []).expect("it is right");
    let set = ("POSTRIDER__MAIL__EGRESS".to_owned(), "192.0.2.1, 2001:db8::1".to_owned());
    assert_eq!(Config::load(None, [set]).expect("it is right").mail.egress, written.mail.egress);
    assert_eq!(written.mail.egress.len(), 2);
}

#[test]
fn a_webhook_is_named_without_its_path_and_its_secret_must_sign_something() {
    let text = refused("POSTRIDER__ALERTS__WEBHOOK", "hooks.example.com/T00/hunter2");
    assert!(text.contains("must begin with https://") && !text.contains("hunter2"), "{text}");
    let secret = "whsec_bm90LWEtc2VjcmV0LWJ1dC1hbi1leGFtcGxl";
    assert!(refused("POSTRIDER__ALERTS__WEBHOOK_SECRET", secret).contains("signs nothing"));
    assert!(refused("POSTRIDER__ALERTS__WEBHOOK_SECRET", "hunter2").contains("must be whsec_"));
}

#[test]
fn whom_mail_may_leave_to_is_checked() {
    let text = refused("POSTRIDER__MAIL__ALLOW_RECIPIENTS", "*@example.com, example.org");
    assert!(text.contains("mail.allow_recipients") && text.contains("\"example.org\", which is none of"), "{text}");
    assert!(refused("POSTRIDER__MAIL__REDIRECT_TO", "Team <team@example.com>").contains("must be a bare address"));
    let set = [("POSTRIDER__MAIL__ALLOW_RECIPIENTS".to_owned(), "*@example.com, ana@example.org".to_owned())];
    let config = Config::load(None, set).expect("a list with commas");
    assert_eq!(config.mail.allow_recipients.as_deref().map(<[String]>::len), Some(2));
}

#[test]
fn a_variable_that_was_meant_for_us_and_is_misspelt_is_not_passed_over() {
    for name in ["POSTRIDER_QUEUE__URL", "postrider__queue__url", "Postrider__Queue__Url"] {
        let said = refused(name, "redis://127.0.0.1");
        assert!(said.contains(name) && said.contains("write POSTRIDER__SECTION__KEY"), "{said}");
    }
    // Others' variables are theirs.
    for name in ["POSTRIDER_HOME", "POSTRIDERS__QUEUE", "MY_POSTRIDER__QUEUE__URL"] {
        Config::load(None, [(name.to_owned(), "x".to_owned())]).expect(name);
    }
}

#[test]
fn dev_does_not_leave_its_folder_for_a_queue_or_a_store_that_the_shell_still_names() {
    let dev = |name: &str, value: &str| {
        Config::load_dev(Path::new("data"), None, [(name.to_owned(), value.to_owned())])
            .expect_err("it must be refused")
            .to_string()
    };
    let queue = dev("POSTRIDER__QUEUE__URL", "redis://127.0.0.1/0");
    assert!(
        queue.contains("queue.url") && queue.contains("dev") && queue.contains("variable POSTRIDER__QUEUE__URL"),
        "{queue}"
    );
    let store = dev("POSTRIDER__STORE__URL", "postgres://me:hunter2@127.0.0.1/db");
    assert!(store.contains("store.url") && !store.contains("hunter2"), "{store}");
}

#[test]
fn reminders_that_make_no_sense_are_refused() {
    let quiet = |value| refused("POSTRIDER__REMINDERS__QUIET_HOURS", value);
    for value in ["22:00", "22:00-22:00", "25:00-07:00", "night"] {
        assert!(quiet(value).contains("must be \"off\", or a range of the day like \"22:00-07:00\""), "{value}");
    }
    let offsets = |value| refused("POSTRIDER__REMINDERS__OFFSETS", value);
    assert!(offsets("1h,60m").contains("reminders.offsets = \"1h,60m\": 1h twice"));
    assert!(offsets("1h,soon").contains("\"soon\" is no length of time"));
    assert!(offsets("30s").contains("must be from 1m to 366d"));
    assert!(offsets("2m,120500ms").contains("is no whole second"));
    assert!(refused("POSTRIDER__BOOKINGS__REVIEW_URL", "https://example.com/review").contains("{booking_id}"));
}

#[test]
fn a_schedule_is_a_table_of_known_keys_and_its_args_may_be_json() {
    let load = |name: &str, value: &str| Config::load(None, [(name.to_owned(), value.to_owned())]);
    let config = load("POSTRIDER__SCHEDULES__BEAT__ARGS", r#"{"ms": 5}"#).unwrap();
    assert_eq!(config.schedules["beat"].args.as_ref().unwrap()["ms"], 5);
    assert!(refused("POSTRIDER__SCHEDULES__BEAT__ARGS", "5").contains("schedules.beat.args"));
    assert!(refused("POSTRIDER__SCHEDULES__BEAT__CRONN", "x").contains("schedules.beat.cronn: there is no such key"));
    assert!(refused("POSTRIDER__SCHEDULES__BEAT__OVERLAP", "maybe").contains("schedules.beat.overlap"));
    assert!(refused("POSTRIDER__SCHEDULER__LEASE", "1s").contains("scheduler.lease = \"1s\": must be from 3s to 5m"));
}

#[test]
fn a_mails_content_is_not_kept_longer_than_its_row() {
    let said = refused("POSTRIDER__LEDGER__RETENTION__CONTENTS", "500d");
    assert!(said.contains("must not be longer than ledger.retention.mails (400d)"), "{said}");
    let said = refused("POSTRIDER__LEDGER__RETENTION__BOOKING_EVENTS", "7d");
    assert!(said.contains("reconcile.window = \"7d\": must be shorter than ledger.retention.mails"), "{said}");
    assert!(refused("POSTRIDER__LEDGER__RETENTION__TICKS", "1h").contains("ledger.retention.ticks = \"1h\": must be"));
}

#[test]
fn a_reconciliation_must_not_look_back_further_than_the_ledger_keeps_its_rows() {
    let vars = [("POSTRIDER__LEDGER__RETENTION__MAILS", "7d"), ("POSTRIDER__LEDGER__RETENTION__CONTENTS", "7d")];
    let error = Config::load(None, vars.map(|(n, v)| (n.to_owned(), v.to_owned()))).expect_err("it must be refused");
    assert!(
        error.to_string().contains("reconcile.window = \"7d\": must be shorter than ledger.retention.mails (7d)"),
        "{error}"
    );
}

#[test]
fn an_alert_that_would_reach_nobody_stops_the_start() {
    let ghost = refused("POSTRIDER__ALERTS__RECEIVER", "ghost");
    assert_eq!(
        ghost,
        "the configuration cannot be used\n  \
         alerts.receiver = \"ghost\": names \"ghost\", and there is no such receiver\n    \
         set by: environment variable POSTRIDER__ALERTS__RECEIVER\n    \
         example: receiver = \"operators\" under [alerts], or POSTRIDER__ALERTS__RECEIVER=operators"
    );
    let text = refused_file(
        "routes.toml",
        "[[alerts.routes]]\nmatch = 'team=\"db\"'\nreceiver = \"dba\"\n\
         [[alerts.routes.routes]]\nmatch = ['host=\"a\"']\nescalate = [{ after = \"5m\", receiver = \"boss\" }]\n",
    );
    assert!(
        text.contains(
            "alerts.routes[0].receiver: names \"dba\", and there is no such receiver\n    \
             set by: configuration file routes.toml\n    example: receiver = \"on_call\" under [[alerts.routes]]"
        ),
        "{text}"
    );
    assert!(text.contains("alerts.routes[0].routes[0].escalate[0].receiver: names \"boss\""), "{text}");
    let empty = refused_file("empty.toml", "[alerts.receivers.dba]\n");
    assert!(empty.contains("alerts.receivers.dba: reaches nobody: give it email, webhook or slack"), "{empty}");
    let own = refused_file("own.toml", "[alerts.receivers.operators]\nemail = [\"a@example.com\"]\n");
    assert!(own.contains("alerts.receivers.operators: is made of alerts.email"), "{own}");
}

#[test]
fn a_route_that_cannot_be_read_is_named_with_its_place() {
    let unknown = refused_file("unknown_route.toml", "[[alerts.routes]]\nreciever = \"operators\"\n");
    assert!(unknown.contains("alerts.routes[0].reciever: there is no such key; here there are: match,"), "{unknown}");
    let matcher = refused_file("matcher.toml", "[[alerts.routes]]\n[[alerts.routes]]\nmatch = ['team=~\"(\"']\n");
    assert!(
        matcher.contains("alerts.routes[1].match: the expression for team cannot be used: unclosed group"),
        "{matcher}"
    );
    let time = refused_file("route_time.toml", "[[alerts.routes]]\ngroup_wait = \"2h\"\n");
    assert!(time.contains("alerts.routes[0].group_wait: must be from 0 to 3600 seconds"), "{time}");
    let rule = refused_file("rule.toml", "[[alerts.inhibit]]\nsource = []\ntarget = ['a=b']\nequal = [\"a-b\"]\n");
    assert!(rule.contains("alerts.inhibit[0].source: must have a matcher"), "{rule}");
    assert!(rule.contains("alerts.inhibit[0].equal: holds \"a-b\""), "{rule}");
    assert!(refused("POSTRIDER__ALERTS__EMAIL", "ops").contains("alerts.email = \"ops\": holds \"ops\""));
    assert!(refused("POSTRIDER__ALERTS__GROUP_BY", "a-b").contains("alerts.group_by = \"a-b\": holds \"a-b\""));
    assert!(refused("POSTRIDER__ALERTS__REPEAT_INTERVAL", "1s").contains("must be from 60 to"));
    assert!(refused("POSTRIDER__ALERTS__CAP__MAILS_PER_HOUR", "1").contains("must be from 2 to 1000"));
    let slack = refused("POSTRIDER__ALERTS__SLACK", "ftp://x.test/secret-path");
    assert!(slack.contains("alerts.slack = [secret]: must begin with https://"), "{slack}");
}

#[test]
fn a_heartbeat_and_a_report_that_cannot_be_are_named() {
    assert!(
        refused("POSTRIDER__HEARTBEATS__X__PERIOD", "1s").contains("heartbeats.x.period = \"1s\": must be from 10s")
    );
    assert!(refused("POSTRIDER__HEARTBEATS__X__GRACE", "1h").contains("heartbeats.x"), "the period is missing");
    let file = "[heartbeats.x]\nperiod = \"1h\"\nseverity = \"loud\"\n";
    assert!(refused_file("severity.toml", file).contains("heartbeats.x.severity"), "{}", refused_file("s.toml", file));
    let report = |key: &str, value: &str| refused(&format!("POSTRIDER__SEARCH__REPORT__{key}"), value);
    assert!(report("RECIPIENTS", "a@example.com,nobody").contains("\"nobody\" must be an address"));
    assert!(report("RECIPIENTS", "a@example.com,A@example.com").contains("twice"));
    for key in ["guests", "hourly_queries"] {
        let said =
            refused_file("kept.toml", &format!("[search]\nlate = \"20d\"\n[search.retention]\n{key} = \"23d\"\n"));
        assert!(said.contains(&format!("search.retention.{key}")) && said.contains("together (23d)"), "{said}");
    }
    assert!(report("SENDER", "nobody").contains("search.report.sender = \"nobody\": must be the name of a sender"));
    assert!(report("ZERO_RESULTS", "30").contains("must be a share above 0, up to 1"));
    assert!(report("MIN_SEARCHES", "0").contains("search.report.min_searches"));
}

#[test]
fn a_selector_that_no_key_of_the_senders_domain_has_stops_the_start() {
    let table =
        "[mail]\ndomain = \"example.com\"\n[mail.senders.hello]\naddress = \"hello\"\nname = \"\"\nselector = \"zz\"\n";
    let none = refused_file("selector.toml", table);
    assert!(none.contains("mail.senders.hello.selector = \"zz\": there is no key of example.com"), "{none}");
    let keys = "[mail.dkim.a]\nselector = \"s1\"\nkey_file = \"k\"\n\
                [mail.dkim.b]\ndomain = \"other.example\"\nselector = \"zz\"\nkey_file = \"k\"\n";
    let other = refused_file("selector2.toml", &format!("{table}{keys}"));
    assert!(other.contains("no key of example.com has this selector; there are s1"), "{other}");
}

#[test]
fn a_webhook_that_would_never_be_called_is_refused() {
    let load = |vars: &[(&str, &str)]| {
        let vars = vars.iter().map(|(name, value)| (format!("POSTRIDER__{name}"), (*value).to_owned()));
        Config::load(None, vars).map(drop).map_err(|error| error.to_string())
    };
    for key in ["WEBHOOK", "SLACK", "RECEIVERS__OPS__WEBHOOK", "RECEIVERS__OPS__SLACK"] {
        let key = format!("ALERTS__{key}");
        let dotted = key.to_lowercase().replace("__", ".");
        let said = load(&[(&key, "http://hooks.example.net/x")]).unwrap_err();
        assert!(said.contains(&format!("{dotted} = ")) && said.contains("would never be called"), "{said}");
        let said = load(&[(&key, "http://192.0.2.1/x"), ("OUTBOUND__ALLOW", "10.0.0.0/8")]).unwrap_err();
        assert!(said.contains("only for addresses that outbound.allow lists"), "{said}");
        let said = load(&[(&key, "https://10.1.2.3/x")]).unwrap_err();
        assert!(said.contains("is not of the Internet"), "{said}");
    }
    for (url, allow) in [
        ("https://hooks.example.net/x", ""),
        ("https://192.0.2.1/x", ""),
        ("http://10.1.2.3/x", "10.0.0.0/8"),
        ("https://10.1.2.3/x", "10.0.0.0/8"),
        ("http://hooks.internal/x", "10.0.0.0/8"),
    ] {
        assert_eq!(load(&[("ALERTS__WEBHOOK", url), ("OUTBOUND__ALLOW", allow)]), Ok(()), "{url}");
    }
}
