//! What a zone answers to a question.

use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, MX, NS, PTR, SOA, TXT};
use hickory_server::proto::rr::{Name, RData, Record as WireRecord, RecordType};

use super::Zone;
use super::record::{DnsName, Record, RecordData};
use super::text::MAX_STRING;

/// Longer chains are a loop.
const MAX_CNAMES: usize = 8;

/// The parts of a response that depend on the zone.
pub(super) struct Answer {
    pub(super) code: ResponseCode,
    pub(super) records: Vec<WireRecord>,
    /// The SOA that goes with "no such name" and "no such data", so that it can be cached (RFC 2308 §3).
    pub(super) authority: Vec<WireRecord>,
}

impl Answer {
    /// A failure without records.
    pub(super) fn code(code: ResponseCode) -> Self {
        Self { code, records: Vec::new(), authority: Vec::new() }
    }

    /// Looks `name` up, following aliases inside the zone.
    pub(super) fn to(zone: &Zone, name: &DnsName, kind: RecordType) -> Self {
        let mut name = name.clone();
        let mut records = Vec::new();
        for _ in 0..MAX_CNAMES {
            let before = records.len();
            let mut alias = None;
            for record in zone.at(&name) {
                match &record.data {
                    RecordData::Cname(target) if kind != RecordType::CNAME => {
                        alias = Some(target.clone());
                        records.extend(wire(record));
                    }
                    data if kind == RecordType::ANY || data.kind() == kind.to_string() => records.extend(wire(record)),
                    _ => {}
                }
            }
            let Some(target) = alias else {
                let code = if zone.exists(&name) { ResponseCode::NoError } else { ResponseCode::NXDomain };
                let authority = if records.len() == before { soa_above(zone, &name) } else { Vec::new() };
                return Self { code, records, authority };
            };
            name = target;
        }
        Self::code(ResponseCode::ServFail)
    }
}

fn soa_above(zone: &Zone, name: &DnsName) -> Vec<WireRecord> {
    let is_soa = |record: &&Record| matches!(record.data, RecordData::Soa { .. });
    let above = |record: &&Record| name.is_at_or_below(&record.name);
    zone.records().iter().filter(is_soa).find(above).and_then(wire).into_iter().collect()
}

fn wire(record: &Record) -> Option<WireRecord> {
    let name = |name: &DnsName| Name::from_ascii(name.to_string()).ok();
    let data = match &record.data {
        RecordData::A(ip) => RData::A(A(*ip)),
        RecordData::Aaaa(ip) => RData::AAAA(AAAA(*ip)),
        RecordData::Mx { preference, exchange } => RData::MX(MX::new(*preference, name(exchange)?)),
        RecordData::Txt(text) if text.is_empty() => RData::TXT(TXT::from_bytes(vec![b""])),
        RecordData::Txt(text) => RData::TXT(TXT::from_bytes(text.as_bytes().chunks(MAX_STRING).collect())),
        RecordData::Cname(target) => RData::CNAME(CNAME(name(target)?)),
        RecordData::Ptr(target) => RData::PTR(PTR(name(target)?)),
        RecordData::Ns(target) => RData::NS(NS(name(target)?)),
        RecordData::Soa { primary, contact, serial, minimum } => {
            RData::SOA(SOA::new(name(primary)?, name(contact)?, *serial, 3600, 600, 86_400, *minimum))
        }
    };
    Some(WireRecord::from_rdata(name(&record.name)?, record.ttl, data))
}
