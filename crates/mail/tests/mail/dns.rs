//! The name server, asked with a resolver that knows nothing of it.

use std::net::Ipv4Addr;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use mail::zone::{DnsFault, DnsName, RecordData};
use mail::{DnsServer, Zone};

use crate::lab;

fn resolver(server: &DnsServer, tcp_only: bool) -> TokioResolver {
    let kinds =
        if tcp_only { vec![ConnectionConfig::tcp()] } else { vec![ConnectionConfig::udp(), ConnectionConfig::tcp()] };
    let connections = kinds
        .into_iter()
        .map(|mut connection| {
            connection.port = server.addr().port();
            connection
        })
        .collect();
    let config = ResolverConfig::from_parts(
        None,
        Vec::new(),
        vec![NameServerConfig::new(server.addr().ip(), true, connections)],
    );
    let mut options = ResolverOpts::default();
    options.cache_size = 0;
    options.attempts = 1;
    options.timeout = std::time::Duration::from_secs(3);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options).build().unwrap()
}

async fn ask(resolver: &TokioResolver, name: &str, kind: RecordType) -> Result<Vec<String>, String> {
    match resolver.lookup(name, kind).await {
        Ok(lookup) => Ok(lookup
            .answers()
            .iter()
            .map(|record| match &record.data {
                RData::TXT(txt) => {
                    txt.txt_data.iter().map(|string| String::from_utf8_lossy(string).into_owned()).collect()
                }
                data => data.to_string(),
            })
            .collect()),
        Err(error) => Err(format!("{error} {error:?}")),
    }
}

#[tokio::test]
async fn every_kind_of_record_is_served_over_udp_and_tcp() {
    let server = lab::name_server().await;
    for tcp_only in [false, true] {
        let resolver = resolver(&server, tcp_only);
        assert_eq!(ask(&resolver, "postrider.test.", RecordType::MX).await.unwrap(), ["10 mail.postrider.test."]);
        assert_eq!(ask(&resolver, "MAIL.postrider.test.", RecordType::A).await.unwrap(), ["127.0.0.1"]);
        assert_eq!(ask(&resolver, "mail.postrider.test.", RecordType::AAAA).await.unwrap(), ["::1"]);
        assert_eq!(ask(&resolver, "postrider.test.", RecordType::NS).await.unwrap(), ["ns.postrider.test."]);
        let txt = ask(&resolver, "dev._domainkey.postrider.test.", RecordType::TXT).await.unwrap();
        assert_eq!(txt, [lab::key().public_txt()], "long text is joined again");
    }
}

#[tokio::test]
async fn a_name_that_is_not_there_is_told_from_one_without_the_type() {
    let server = lab::name_server().await;
    let resolver = resolver(&server, false);
    let missing = ask(&resolver, "nothing.postrider.test.", RecordType::TXT).await.unwrap_err();
    let empty = ask(&resolver, "_domainkey.postrider.test.", RecordType::TXT).await.unwrap_err();
    assert!(missing.contains("NXDomain"), "{missing}");
    assert!(empty.contains("NoError"), "{empty}");
}

#[tokio::test]
async fn a_cname_is_followed_and_a_circle_of_them_ends() {
    let mut zone = Zone::new();
    let name = |text: &str| DnsName::parse(text).unwrap();
    zone.add("www.a.test", RecordData::Cname(name("host.a.test"))).unwrap();
    zone.add("host.a.test", RecordData::A(Ipv4Addr::new(192, 0, 2, 1))).unwrap();
    zone.add("x.a.test", RecordData::Cname(name("y.a.test"))).unwrap();
    zone.add("y.a.test", RecordData::Cname(name("x.a.test"))).unwrap();
    let server = DnsServer::start(zone).await.unwrap();
    let resolver = resolver(&server, false);
    let answers = ask(&resolver, "www.a.test.", RecordType::A).await.unwrap();
    assert!(answers.contains(&"192.0.2.1".to_owned()), "{answers:?}");
    assert!(ask(&resolver, "x.a.test.", RecordType::A).await.is_err());
}

#[tokio::test]
async fn the_zone_can_be_replaced_while_it_is_served() {
    let server = lab::name_server().await;
    let resolver = resolver(&server, false);
    let mut zone = server.zone();
    zone.remove(&DnsName::parse("mail.postrider.test").unwrap(), |data| matches!(data, RecordData::A(_)));
    zone.add("mail.postrider.test", RecordData::A(Ipv4Addr::new(192, 0, 2, 7))).unwrap();
    server.set_zone(zone);
    assert_eq!(ask(&resolver, "mail.postrider.test.", RecordType::A).await.unwrap(), ["192.0.2.7"]);
}

#[tokio::test]
async fn chosen_names_fail_until_they_are_healed() {
    let server = lab::name_server().await;
    let resolver = resolver(&server, false);
    let name = DnsName::parse("mail.postrider.test").unwrap();
    for (fault, said) in
        [(DnsFault::ServFail, "Server Failure"), (DnsFault::Refused, "Refused"), (DnsFault::Silent, "timed out")]
    {
        server.fail(&name, fault);
        let error = ask(&resolver, "mail.postrider.test.", RecordType::A).await.unwrap_err();
        assert!(error.contains(said), "{fault:?}: {error}");
        assert!(ask(&resolver, "postrider.test.", RecordType::MX).await.is_ok(), "other names are not touched");
    }
    server.heal(&name);
    assert!(ask(&resolver, "mail.postrider.test.", RecordType::A).await.is_ok());
}
