//! Owns the bytes of the kernel's queue for packets (`NFQUEUE` over netlink, `linux/netfilter/nfnetlink_queue.h`):
//! writes what is sent, reads what comes. Refuses to send, and to decide about a packet.
//!
//! Netlink's own numbers are in the machine's byte order, those of this subsystem in network order.

/// `NFNL_SUBSYS_QUEUE`, in the upper byte of a message's type.
const SUBSYSTEM: u16 = 3 << 8;
const MSG_PACKET: u16 = SUBSYSTEM;
const MSG_VERDICT: u16 = SUBSYSTEM | 1;
const MSG_CONFIG: u16 = SUBSYSTEM | 2;
const MSG_ERROR: u16 = 2;
const FLAG_REQUEST: u16 = 1;
pub(super) const FLAG_ACK: u16 = 4;
pub(super) const HEADER: usize = 16;
/// Length of a message's header with that of the subsystem.
pub(super) const HEADERS: usize = HEADER + 4;

const CFG_CMD: u16 = 1;
const CFG_PARAMS: u16 = 2;
const CFG_MAXLEN: u16 = 3;
const CFG_MASK: u16 = 4;
const CFG_FLAGS: u16 = 5;
const COPY_PACKET: u8 = 2;
/// `NFQA_CFG_F_GSO`: large packets come whole, as the sender's kernel made them.
const F_GSO: u32 = 4;

const ATTR_PACKET: u16 = 1;
const ATTR_VERDICT: u16 = 2;
const ATTR_PAYLOAD: u16 = 10;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Drop = 0,
    Accept = 1,
}

/// What the kernel says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told<'a> {
    /// A packet waits for its verdict.
    Packet { id: u32, payload: &'a [u8] },
    /// To a message of ours: zero, or an error's number.
    Answer { sequence: u32, errno: i32 },
}

/// Appends a message; what the subsystem calls its resource, a queue or a group of logs, has this number.
pub(super) fn message(
    out: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    sequence: u32,
    queue: u16,
    attributes: &[(u16, &[u8])],
) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&(FLAG_REQUEST | flags).to_ne_bytes());
    out.extend_from_slice(&sequence.to_ne_bytes());
    // The sender's port is the kernel's to fill in; family and version are zero.
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&queue.to_be_bytes());
    for (name, value) in attributes {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_ne_bytes());
        out.extend_from_slice(&name.to_ne_bytes());
        out.extend_from_slice(value);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_ne_bytes());
}

/// Takes a queue for this socket; answered with `EBUSY` where somebody has it.
pub(super) fn bind(queue: u16, sequence: u32) -> Vec<u8> {
    command(queue, sequence, 1)
}

/// Gives the queue back.
pub(super) fn unbind(queue: u16, sequence: u32) -> Vec<u8> {
    command(queue, sequence, 2)
}

fn command(queue: u16, sequence: u32, command: u8) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, MSG_CONFIG, FLAG_ACK, sequence, queue, &[(CFG_CMD, &[command, 0, 0, 0])]);
    out
}

/// Sets how many packets may wait in the kernel.
pub(super) fn limit(queue: u16, sequence: u32, packets: u32) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, MSG_CONFIG, FLAG_ACK, sequence, queue, &[(CFG_MAXLEN, &packets.to_be_bytes())]);
    out
}

/// Sets how many bytes of each packet come, and whether large ones come whole; errors only are answered.
pub(super) fn copy(queue: u16, sequence: u32, bytes: u32, large: bool) -> Vec<u8> {
    let mut params = bytes.to_be_bytes().to_vec();
    params.push(COPY_PACKET);
    let flags = if large { F_GSO } else { 0 };
    let mut out = Vec::new();
    let attributes: &[(u16, &[u8])] =
        &[(CFG_PARAMS, &params), (CFG_FLAGS, &flags.to_be_bytes()), (CFG_MASK, &F_GSO.to_be_bytes())];
    message(&mut out, MSG_CONFIG, 0, sequence, queue, attributes);
    out
}

/// Appends a verdict: many fit into one send.
pub(super) fn verdict(out: &mut Vec<u8>, queue: u16, id: u32, verdict: Verdict) {
    let mut value = [0; 8];
    value[..4].copy_from_slice(&(verdict as u32).to_be_bytes());
    value[4..].copy_from_slice(&id.to_be_bytes());
    message(out, MSG_VERDICT, 0, 0, queue, &[(ATTR_VERDICT, &value)]);
}

/// Reads everything in one datagram; what is cut off or of another kind is passed over.
pub(super) fn read(mut bytes: &[u8]) -> Vec<Told<'_>> {
    let mut told = Vec::new();
    while let Some(length) = u32_at(bytes, 0).map(|length| length as usize) {
        if length < HEADER || length > bytes.len() {
            break;
        }
        let (one, rest) = (&bytes[..length], bytes.get(length.next_multiple_of(4)..).unwrap_or_default());
        match u16_at(one, 4) {
            Some(MSG_PACKET) => told.extend(packet(one.get(HEADERS..).unwrap_or_default())),
            Some(MSG_ERROR) => {
                let sequence = u32_at(one, 8).unwrap_or_default();
                let errno = u32_at(one, HEADER).unwrap_or_default().cast_signed();
                told.push(Told::Answer { sequence, errno: -errno });
            }
            _ => {}
        }
        bytes = rest;
    }
    told
}

fn packet(mut attributes: &[u8]) -> Option<Told<'_>> {
    let (mut id, mut payload): (Option<u32>, &[u8]) = (None, &[]);
    while let Some(length) = u16_at(attributes, 0).map(usize::from) {
        let value = attributes.get(4..length)?;
        // The two upper bits are flags.
        match u16_at(attributes, 2)? & 0x3fff {
            ATTR_PACKET => id = Some(u32::from_be_bytes(value.get(..4)?.try_into().ok()?)),
            ATTR_PAYLOAD => payload = value,
            _ => {}
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    id.map(|id| Told::Packet { id, payload })
}

/// Four bytes in the machine's order.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Two bytes in the machine's order.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Told, Verdict, bind, message, read, verdict};

    #[test]
    fn a_packet_is_read_from_a_message_like_the_kernels() {
        let mut bytes = Vec::new();
        let attributes: [(u16, &[u8]); 3] = [(1, &[0, 0, 0, 7, 8, 0, 2]), (9, &[1, 2, 3]), (10, b"hello")];
        message(&mut bytes, super::MSG_PACKET, 0, 0, 5, &attributes);
        assert_eq!(read(&bytes), [Told::Packet { id: 7, payload: b"hello" }]);
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).is_empty(), "cut at {cut}");
        }
    }

    #[test]
    fn an_error_is_read_with_the_number_of_what_it_answers() {
        let mut bytes = 36_u32.to_ne_bytes().to_vec();
        bytes.extend(2_u16.to_ne_bytes());
        bytes.extend([0; 2]);
        bytes.extend(9_u32.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend((-16_i32).to_ne_bytes());
        bytes.extend([0; 16]);
        assert_eq!(read(&bytes), [Told::Answer { sequence: 9, errno: 16 }]);
    }

    #[test]
    fn messages_are_padded_and_say_their_length() {
        assert_eq!(bind(258, 1)[18..], [1, 2, 8, 0, 1, 0, 1, 0, 0, 0]);
        let mut two = Vec::new();
        verdict(&mut two, 258, 3, Verdict::Accept);
        verdict(&mut two, 258, 4, Verdict::Drop);
        assert_eq!((two.len(), &two[..4], &two[32..36]), (64, &32_u32.to_ne_bytes()[..], &32_u32.to_ne_bytes()[..]));
        assert_eq!(two[24..32], [0, 0, 0, 1, 0, 0, 0, 3]);
    }
}
