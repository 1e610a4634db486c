//! Owns the words of a stage's name server: a question's bytes, and an answer's. Refuses to know who is there.

use super::company::Word;
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record, RecordType};

/// How long an answer is good, in seconds: addresses never change here, names come and go.
const TTL: u32 = 1;

/// Answers a question, by what `look_up` says of its name; nothing where it is none. What is asked beside addresses does not
/// exist, and a name of which other records are asked is wanted as well.
pub(super) fn answer(bytes: &[u8], look_up: impl FnOnce(&str) -> Word) -> Option<Vec<u8>> {
    let asked = Message::from_vec(bytes).ok().filter(|asked| asked.metadata.message_type == MessageType::Query)?;
    let query = asked.queries.first()?.clone();
    let name = query.name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let mut reply = Message::response(asked.metadata.id, asked.metadata.op_code);
    reply.metadata.recursion_desired = asked.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.metadata.authoritative = true;
    match look_up(&name) {
        Word::Address(address) if query.query_type == RecordType::A => {
            let data = RData::A(A(address));
            reply.add_answer(Record::from_rdata(query.name.clone(), TTL, data));
        }
        Word::Address(_) => {}
        Word::Nobody => reply.metadata.response_code = ResponseCode::NXDomain,
    }
    reply.add_query(query);
    reply.to_vec().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::{OpCode, Query};
    use hickory_proto::rr::Name;
    use std::net::Ipv4Addr;

    fn asked(kind: RecordType, word: Word) -> Message {
        let mut question = Message::new(7, MessageType::Query, OpCode::Query);
        question.add_query(Query::query(Name::from_ascii("DB.Example.").expect("a name"), kind));
        let bytes = question.to_vec().expect("it is written");
        let answer = answer(&bytes, |name| {
            assert_eq!(name, "db.example");
            word
        });
        Message::from_vec(&answer.expect("it is a question")).expect("it is an answer")
    }

    #[test]
    fn addresses_are_told_nothing_else_exists_and_nobody_is_nobody() {
        let address = Word::Address(Ipv4Addr::LOCALHOST);
        assert_eq!(asked(RecordType::A, address).answers.len(), 1);
        let none = asked(RecordType::AAAA, address);
        assert_eq!((none.answers.len(), none.metadata.response_code), (0, ResponseCode::NoError));
        assert_eq!(asked(RecordType::A, Word::Nobody).metadata.response_code, ResponseCode::NXDomain);
        assert!(answer(b"nonsense", |_| Word::Nobody).is_none());
    }
}
