//! The resolver: hickory over the system's name servers or given ones, without a cache.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as WireError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;

use super::{DnsError, DnsSetupError, Found, Kind, Lookups};

/// One try at a name server; with [`ATTEMPTS`] a silent server costs two of these before it is a temporary error.
const TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;

/// Answers questions about names. Cheap to clone.
#[derive(Clone)]
pub struct Dns {
    resolver: TokioResolver,
    config: ResolverConfig,
    options: ResolverOpts,
}

impl Dns {
    /// A resolver over `servers`, each asked over UDP and, where an answer was cut short, over TCP. Without any it asks
    /// those of the system (`/etc/resolv.conf`).
    ///
    /// # Errors
    /// [`DnsSetupError`].
    pub fn new(servers: &[SocketAddr]) -> Result<Self, DnsSetupError> {
        let config = match servers {
            [] => read_system_conf().map_err(|e| DnsSetupError(e.to_string()))?.0,
            _ => ResolverConfig::from_parts(None, Vec::new(), servers.iter().map(name_server).collect()),
        };
        let mut options = ResolverOpts::default();
        options.timeout = TIMEOUT;
        options.attempts = ATTEMPTS;
        options.cache_size = 0;
        options.negative_max_ttl = Some(Duration::ZERO);
        options.use_hosts_file = ResolveHosts::Never;
        let resolver = TokioResolver::builder_with_config(config.clone(), TokioRuntimeProvider::default())
            .with_options(options.clone())
            .build()
            .map_err(|e| DnsSetupError(e.to_string()))?;
        Ok(Self { resolver, config, options })
    }

    /// The questions of one check, which all are answered within `patience` or given up.
    #[must_use]
    pub fn lookups(&self, patience: Duration) -> Lookups {
        Lookups::new(self.clone(), patience)
    }

    /// What another resolver of the same kind is made from.
    pub(crate) fn parts(&self) -> (ResolverConfig, ResolverOpts) {
        (self.config.clone(), self.options.clone())
    }

    /// Asks one question; `name` is absolute, with or without its final dot.
    pub(super) async fn ask(&self, name: &str, kind: Kind) -> Result<Found<RData>, DnsError> {
        let asked = absolute(name)?;
        let wanted = match kind {
            Kind::A => RecordType::A,
            Kind::Aaaa => RecordType::AAAA,
            Kind::Mx => RecordType::MX,
            Kind::Txt => RecordType::TXT,
            Kind::Ptr => RecordType::PTR,
        };
        match self.resolver.lookup(asked, wanted).await {
            Ok(lookup) => {
                let (mut records, mut aliases) = (Vec::new(), Vec::new());
                for record in lookup.answers() {
                    match &record.data {
                        RData::CNAME(target) => aliases.push(plain(&target.0)),
                        data if data.record_type() == wanted => records.push(data.clone()),
                        _ => {}
                    }
                }
                Ok(Found { records, exists: true, aliases })
            }
            Err(NetError::Dns(WireError::NoRecordsFound(none)))
                if matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError) =>
            {
                let exists = none.response_code == ResponseCode::NoError;
                Ok(Found { records: Vec::new(), exists, aliases: Vec::new() })
            }
            Err(error) => Err(DnsError::Temporary { name: name.to_owned(), kind, why: in_words(&error) }),
        }
    }
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> = self.config.name_servers().iter().map(|server| server.ip).collect();
        f.debug_tuple("Dns").field(&servers).finish()
    }
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.to_vec())
}

fn absolute(name: &str) -> Result<Name, DnsError> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    let wrong = || DnsError::Name(name.to_owned());
    if bare.is_empty() || bare.split('.').any(str::is_empty) {
        return Err(wrong());
    }
    Name::from_ascii(format!("{bare}.")).map_err(|_| wrong())
}

/// A name in lower case, without its final dot.
pub(super) fn plain(name: &Name) -> String {
    let text = name.to_ascii().to_ascii_lowercase();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

fn in_words(error: &NetError) -> String {
    match error {
        NetError::Timeout => "no name server answered in time".to_owned(),
        NetError::NoConnections => "no name server can be reached".to_owned(),
        NetError::Dns(WireError::ResponseCode(code)) => format!("the name server says {}", code.to_str()),
        NetError::Dns(WireError::NoRecordsFound(none)) => {
            format!("the name server says {}", none.response_code.to_str())
        }
        other => other.to_string(),
    }
}
