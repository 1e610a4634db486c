//! Owns the bytes of DNS: a lookup as a question, an answer as records, and the way back. Refuses to decide who is behind a
//! name, and to know sockets ([`super::resolve`], [`super::name_server`]).
//!
//! A service's name has SRV records, because instances of one service listen on different ports; the addresses come with
//! them. Whoever asks for A records gets the addresses alone.

use crate::commons::DirectoryConfig;
use crate::config::Target;
use crate::wire::{Failure, Records, Reply};
use fixtures::name::{InstanceName, ZoneName};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, NS, SOA, SRV};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// The largest answer in one UDP packet, agreed on by EDNS: it passes every link in one piece (DNS flag day 2020).
const PAYLOAD_MAX: u16 = 1_232;
/// Nanoseconds of a second: times in DNS are whole seconds.
const SECOND_NS: u64 = 1_000_000_000;
/// Seconds in a zone's own record that only a copying server would heed.
const REFRESH: i32 = 60;
const EXPIRE: i32 = 3_600;

/// A question for the instances behind a name; `None` where it is no name that DNS could carry.
pub(super) fn question(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD_MAX);
    message.add_query(Query::query(absolute(name)?, RecordType::SRV)).set_edns(edns);
    message.to_vec().ok()
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is no answer to this question.
    Nothing,
    /// It was too long for one packet: ask over TCP.
    CutOff,
    /// This.
    Reply(Reply),
}

/// Reads an answer to the question with this id and name.
pub(super) fn heard(id: u16, name: &str, bytes: &[u8]) -> Heard {
    let Ok(message) = Message::from_vec(bytes) else { return Heard::Nothing };
    let asked = message.queries.first().map(|query| query.name.to_ascii().to_ascii_lowercase());
    let is_mine = message.metadata.id == id
        && message.metadata.message_type == MessageType::Response
        && asked.is_some_and(|asked| asked.trim_end_matches('.') == name.to_ascii_lowercase());
    if !is_mine {
        return Heard::Nothing;
    }
    if message.metadata.truncation {
        return Heard::CutOff;
    }
    let error = match message.metadata.response_code {
        ResponseCode::NoError => None,
        ResponseCode::NXDomain => Some(Failure::NotFound),
        ResponseCode::Refused => Some(Failure::Denied),
        _ => Some(Failure::Overloaded),
    };
    Heard::Reply(Reply { error, records: Some(Box::new(records(&message))), ..Reply::by(&"dns".into()) })
}

/// What an answer says to anybody: the name that was asked for, without a dot at its end, and the instances behind it. Nothing
/// where it is no answer, or was cut off.
pub fn answer_of(bytes: &[u8]) -> Option<(String, Vec<String>)> {
    let message = Message::from_vec(bytes).ok()?;
    if message.metadata.message_type != MessageType::Response || message.metadata.truncation {
        return None;
    }
    let name = message.queries.first()?.name.to_ascii().to_ascii_lowercase();
    let targets = records(&message).targets;
    Some((name.trim_end_matches('.').to_owned(), targets.into_iter().map(|target| target.name.to_string()).collect()))
}

fn records(message: &Message) -> Records {
    let addresses: BTreeMap<String, IpAddr> = message
        .additionals
        .iter()
        .filter_map(|record| match &record.data {
            RData::A(address) => Some((record.name.to_ascii(), IpAddr::V4(address.0))),
            _ => None,
        })
        .collect();
    let (mut targets, mut ttl) = (Vec::new(), u32::MAX);
    for record in &message.answers {
        let RData::SRV(srv) = &record.data else { continue };
        let host = srv.target.to_ascii();
        let mut labels = host.split('.');
        let (Some(instance), Some(Ok(zone))) = (labels.next(), labels.next().map(ZoneName::new)) else { continue };
        let Some(&ip) = addresses.get(&host) else { continue };
        ttl = ttl.min(record.ttl);
        let (name, address) = (InstanceName(instance.to_owned()), SocketAddr::new(ip, srv.port));
        targets.push(Target { name, zone, address, secure: None });
    }
    let mut serial = 0;
    for record in message.authorities.iter().chain(&message.answers) {
        if let RData::SOA(soa) = &record.data {
            serial = soa.serial;
            // How long the answer that there is nothing is good (RFC 2308, section 5).
            if targets.is_empty() {
                ttl = ttl.min(record.ttl).min(soa.minimum);
            }
        }
    }
    let ttl = if ttl == u32::MAX { 0 } else { ttl };
    Records { targets, ttl_ns: u64::from(ttl) * SECOND_NS, serial }
}

/// A question that was read.
#[derive(Debug)]
pub(super) struct Asked {
    message: Message,
    /// The name, without a dot at its end; what a server must be asked itself.
    pub(super) name: String,
}

/// Reads a question. An error is the answer to give at once, where one is due.
pub(super) fn asked(bytes: &[u8]) -> Result<Asked, Option<Vec<u8>>> {
    let Ok(message) = Message::from_vec(bytes) else {
        // What has a header can be told that its rest makes no sense.
        let id = bytes.get(..2).filter(|_| bytes.len() >= 12 && bytes[2] & 0x80 == 0);
        let refused = id.and_then(|id| refusal(u16::from_be_bytes([id[0], id[1]]), ResponseCode::FormErr));
        return Err(refused);
    };
    if message.metadata.message_type == MessageType::Response {
        return Err(None);
    }
    if message.metadata.op_code != OpCode::Query {
        return Err(answer_with(&message, ResponseCode::NotImp, |_| {}).to_vec().ok());
    }
    let [query] = message.queries.as_slice() else {
        return Err(refusal(message.metadata.id, ResponseCode::FormErr));
    };
    if query.query_class != DNSClass::IN {
        return Err(answer_with(&message, ResponseCode::Refused, |_| {}).to_vec().ok());
    }
    let name = query.name.to_ascii().trim_end_matches('.').to_owned();
    Ok(Asked { message, name })
}

fn refusal(id: u16, code: ResponseCode) -> Option<Vec<u8>> {
    Message::error_msg(id, OpCode::Query, code).to_vec().ok()
}

/// The answer to a question out of what the machine says; `datagram` where it must fit into one packet. `None` where
/// bytes cannot be made of it, which only a bug can cause.
pub(super) fn answer(asked: &Asked, reply: &Reply, config: &DirectoryConfig, datagram: bool) -> Option<Vec<u8>> {
    let code = match reply.error {
        None => ResponseCode::NoError,
        Some(Failure::NotFound) => ResponseCode::NXDomain,
        Some(Failure::Denied | Failure::Unknown) => ResponseCode::Refused,
        Some(_) => ResponseCode::ServFail,
    };
    let message = answer_with(&asked.message, code, |message| {
        if let Some(records) = reply.records.as_deref() {
            fill(message, asked, records, config);
        }
    });
    let bytes = message.to_vec().ok()?;
    let room = asked.message.max_payload().min(PAYLOAD_MAX);
    if datagram && bytes.len() > usize::from(room) {
        return message.truncate().to_vec().ok();
    }
    Some(bytes)
}

fn answer_with(question: &Message, code: ResponseCode, fill: impl FnOnce(&mut Message)) -> Message {
    // Whoever asked for something else than a lookup is told so in its own words.
    let mut message = Message::response(question.metadata.id, question.metadata.op_code);
    message.metadata.response_code = code;
    message.metadata.authoritative = matches!(code, ResponseCode::NoError | ResponseCode::NXDomain);
    message.metadata.recursion_desired = question.metadata.recursion_desired;
    message.add_queries(question.queries.iter().cloned());
    if question.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(PAYLOAD_MAX);
        message.set_edns(edns);
    }
    fill(&mut message);
    message
}

/// Puts records into an answer: those that were asked for, or the zone's own where there are none.
fn fill(message: &mut Message, asked: &Asked, records: &Records, config: &DirectoryConfig) {
    let Some(query) = asked.message.queries.first() else { return };
    let ttl = u32::try_from(records.ttl_ns.div_ceil(SECOND_NS)).unwrap_or(u32::MAX);
    let record = |data| Record::from_rdata(query.name.clone(), ttl, data);
    let is_apex = asked.name.eq_ignore_ascii_case(&config.domain);
    match query.query_type {
        RecordType::A | RecordType::ANY => {
            let mut seen = Vec::new();
            for ip in records.targets.iter().filter_map(|target| v4(target.address)) {
                if !seen.contains(&ip.0) {
                    seen.push(ip.0);
                    message.add_answer(record(RData::A(ip)));
                }
            }
        }
        RecordType::SRV => {
            for target in &records.targets {
                let host = host_of(target, config);
                let (Some(host), Some(ip)) = (host, v4(target.address)) else { continue };
                message.add_answer(record(RData::SRV(SRV::new(0, 0, target.address.port(), host.clone()))));
                message.add_additional(Record::from_rdata(host, ttl, RData::A(ip)));
            }
        }
        RecordType::SOA if is_apex => {
            message.add_answers(soa(records, config));
        }
        RecordType::NS if is_apex => {
            message.add_answers(own_name(config).map(|name| record(RData::NS(NS(name)))));
        }
        _ => {}
    }
    if message.answers.is_empty() {
        message.add_authorities(soa(records, config));
    }
}

fn soa(records: &Records, config: &DirectoryConfig) -> Option<Record> {
    let (apex, server) = (absolute(&config.domain)?, own_name(config)?);
    let mailbox = absolute(&format!("hostmaster.{}", config.domain))?;
    let negative = u32::try_from(config.negative_ttl_ns.div_ceil(SECOND_NS)).unwrap_or(u32::MAX);
    let data = SOA::new(server, mailbox, records.serial, REFRESH, REFRESH, EXPIRE, negative);
    Some(Record::from_rdata(apex, negative, RData::SOA(data)))
}

/// The server's own name.
fn own_name(config: &DirectoryConfig) -> Option<Name> {
    let own = config
        .instances
        .iter()
        .find(|record| record.targets.iter().any(|target| target.address.ip() == config.listen.ip()));
    own.map_or_else(|| absolute(&config.domain), |record| absolute(&record.name))
}

fn host_of(target: &Target, config: &DirectoryConfig) -> Option<Name> {
    let is = |record: &&crate::commons::Record| record.targets.iter().any(|known| known.name == target.name);
    absolute(&config.instances.iter().find(is)?.name)
}

fn v4(address: SocketAddr) -> Option<A> {
    match address.ip() {
        IpAddr::V4(ip) => Some(A(ip)),
        IpAddr::V6(_) => None,
    }
}

fn absolute(name: &str) -> Option<Name> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}
