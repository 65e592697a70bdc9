//! The recording of a run as a capture file: pcapng (draft-ietf-opsawg-pcapng), which Wireshark opens.
//!
//! The bytes and their times are those of the recording. It was made at the server's sockets, so it contains
//! no packets, and the headers around the bytes are constructed: Ethernet like the loopback's (no addresses),
//! IP (RFC 791, RFC 8200) and TCP (RFC 9293) with the real addresses and ports. The bytes of one write or
//! read are split into segments like those of the run's own sockets, pushed at their end, and acknowledged at
//! once, as a receiver must do at least every second segment (RFC 9293, section 3.8.6.3). So retransmissions,
//! windows and round trips in this file mean nothing.
//!
//! Each technique is an interface (`frame.interface_name == "sse"`). TLS secrets precede the packets, in a
//! Decryption Secrets Block (section 4.7), so that Wireshark decrypts by itself.
//!
//! The ports are any that were free. On these Wireshark (tested with 4.0) recognises HTTP/1 and TLS by their
//! first bytes, WebSocket by its handshake, and HTTP/2 by ALPN in TLS. It fails to recognise two things:
//! HTTP/2 without TLS, and any protocol on a port registered for another one (7 of Linux's 28,232 ephemeral
//! ports are; 44818 is EtherNet/IP). The file could only help with a wrong port, so each interface's
//! description names the protocol for "Decode As…".

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::iter::Peekable;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader, TcpOptionElement};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::blocks::unknown::UnknownBlock;
use pcap_file::{DataLink, Endianness, PcapError};

use crate::link::{Crossing, Layer, Recorded, What};
use crate::wire::Direction;

/// The most bytes in a segment: those of Ethernet with TCP timestamps, as on the run's sockets.
const MSS: u16 = 1_448;

/// The window of each end, in units of 2^7 bytes (RFC 7323, section 2): more than is ever in flight.
const WINDOW: u16 = u16::MAX;
const WINDOW_SCALE: u8 = 7;

const HOP_LIMIT: u8 = 64;

/// The length of an HTTP/2 client's preface (RFC 9113, section 3.4).
const PREFACE: usize = 24;

/// The type of a Decryption Secrets Block, and the secrets type of a TLS key log: "TLSK".
const SECRETS_BLOCK: u32 = 0x0a;
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// The timestamp resolution: 10^-9 s.
const NANOSECONDS: u8 = 9;

/// The recording of one technique.
#[derive(Clone, Copy, Debug)]
pub struct Interface<'a> {
    /// The technique's name.
    pub name: &'a str,
    /// Its connections.
    pub connections: &'a [Recorded],
    /// The secrets of encrypted connections: lines of the NSS key log.
    pub secrets: &'a [String],
    /// The date of the recording's instants.
    pub dated: DatedInstant,
}

/// One instant on both clocks: the recording's is monotonic and has no date.
#[derive(Clone, Copy, Debug)]
pub struct DatedInstant {
    /// On the recording's clock.
    pub instant: Instant,
    /// On the system's calendar clock.
    pub time: SystemTime,
}

impl DatedInstant {
    /// This moment.
    pub fn now() -> DatedInstant {
        DatedInstant {
            instant: Instant::now(),
            time: SystemTime::now(),
        }
    }

    /// A timestamp: the time since 1970.
    fn since_1970(&self, at: Instant) -> Result<Duration> {
        let time = match at.checked_duration_since(self.instant) {
            Some(later) => self.time.checked_add(later),
            None => self.time.checked_sub(self.instant - at),
        };
        time.and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .context("the machine's clock stands before 1970")
    }
}

/// Writes the pcapng file, with its packets ordered by time.
///
/// # Errors
/// If `out` cannot be written to, or the recording is dated before 1970.
pub fn write(out: impl Write, interfaces: &[Interface]) -> Result<()> {
    let mut segments = Vec::new();
    for (number, interface) in (0..).zip(interfaces) {
        for recorded in interface.connections {
            Dialogue::new(recorded, number, interface.dated, &mut segments)?.play();
        }
    }
    let dated = |segment: &Segment| interfaces[segment.interface as usize].dated;
    let dated = segments
        .into_iter()
        .map(|segment| Ok((dated(&segment).since_1970(segment.at)?, segment)));
    let mut segments = dated.collect::<Result<Vec<(Duration, Segment)>>>()?;
    // A stable sort: packets with the same time stay in order.
    segments.sort_by_key(|(at, _)| *at);

    let mut file = PcapNgWriter::with_section_header(BufWriter::new(out), section()).map_err(cause)?;
    for interface in interfaces {
        file.write_pcapng_block(description(interface)).map_err(cause)?;
    }
    if let Some(secrets) = secrets(interfaces)? {
        let length = secrets.len() as u32;
        file.write_pcapng_block(UnknownBlock::new(SECRETS_BLOCK, length, &secrets))
            .map_err(cause)?;
    }
    let mut packet = Vec::new();
    for (at, segment) in &segments {
        packet.clear();
        segment.assemble(&mut packet)?;
        let block = EnhancedPacketBlock {
            interface_id: segment.interface,
            timestamp: *at,
            original_len: packet.len() as u32,
            data: Cow::Borrowed(&packet),
            options: Vec::new(),
        };
        file.write_pcapng_block(block).map_err(cause)?;
    }
    file.into_inner().flush()?;
    Ok(())
}

/// The error of the library, or of the writer if the library only passes that on.
fn cause(e: PcapError) -> anyhow::Error {
    match e {
        PcapError::IoError(e) => e.into(),
        e => e.into(),
    }
}

// ---- blocks ----------------------------------------------------------------------------------------

fn section() -> SectionHeaderBlock<'static> {
    SectionHeaderBlock {
        // Always little-endian, because the secrets below are encoded here.
        endianness: Endianness::Little,
        options: vec![
            SectionHeaderOption::Comment(
                "Payload and times are what crossed the servers' sockets; the headers of TCP, IP and Ethernet are made up."
                    .into(),
            ),
            SectionHeaderOption::UserApplication(concat!("mailcall ", env!("CARGO_PKG_VERSION")).into()),
        ],
        ..SectionHeaderBlock::default()
    }
}

fn description<'a>(interface: &Interface<'a>) -> InterfaceDescriptionBlock<'a> {
    let servers: BTreeSet<(SocketAddr, Option<&str>)> = interface
        .connections
        .iter()
        .map(|connection| (connection.server, protocol(connection)))
        .collect();
    let servers = servers.iter().map(|(server, protocol)| match protocol {
        Some(protocol) => format!(
            "server {server}, Decode As: tcp.port=={},{protocol}",
            server.port()
        ),
        None => format!("server {server}"),
    });
    let description = servers.collect::<Vec<_>>().join("; ");
    InterfaceDescriptionBlock {
        linktype: DataLink::ETHERNET,
        snaplen: 0,
        options: vec![
            InterfaceDescriptionOption::IfName(interface.name.into()),
            InterfaceDescriptionOption::IfDescription(description.into()),
            InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
        ],
    }
}

/// Wireshark's name of the protocol over TCP, if it has one. HTTP is recognised by a method at the start.
fn protocol(recorded: &Recorded) -> Option<&'static str> {
    if recorded.is_encrypted() {
        return Some("tls");
    }
    let first = recorded
        .crossings
        .iter()
        .find_map(|crossing| match &crossing.what {
            What::Bytes(bytes) if crossing.direction == Direction::Up => bytes.split(|b| *b == b' ').next(),
            _ => None,
        })?;
    (!first.is_empty() && first.iter().all(u8::is_ascii_uppercase)).then_some("http")
}

/// The body of the Decryption Secrets Block, if there are secrets.
fn secrets(interfaces: &[Interface]) -> Result<Option<Vec<u8>>> {
    let mut log = String::new();
    for line in interfaces.iter().flat_map(|interface| interface.secrets) {
        log.push_str(line.trim_end());
        log.push('\n');
    }
    if log.is_empty() {
        return Ok(None);
    }
    let length = u32::try_from(log.len()).context("more TLS secrets than a block can hold")?;
    let mut body = Vec::with_capacity(8 + log.len().next_multiple_of(4));
    body.extend(TLS_KEY_LOG.to_le_bytes());
    body.extend(length.to_le_bytes());
    body.extend(log.as_bytes());
    body.resize(body.len().next_multiple_of(4), 0);
    Ok(Some(body))
}

// ---- TCP -------------------------------------------------------------------------------------------

/// One connection while its segments are constructed.
struct Dialogue<'a, 's> {
    recorded: &'a Recorded,
    interface: u32,
    segments: &'s mut Vec<Segment<'a>>,
    now: Instant,
    /// The next sequence number of each side.
    next: [u32; 2],
    /// Whether each side has ended its stream.
    ended: [bool; 2],
    reset: bool,
}

/// One segment.
struct Segment<'a> {
    at: Instant,
    interface: u32,
    from: SocketAddr,
    to: SocketAddr,
    kind: Kind,
    seq: u32,
    /// The acknowledgement number; only a connection's first segment has none.
    ack: Option<u32>,
    payload: Cow<'a, [u8]>,
}

/// The purpose of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Syn,
    /// Data, or only an acknowledgement.
    Data,
    /// The last data of one write.
    Push,
    Fin,
    Rst,
}

impl<'a, 's> Dialogue<'a, 's> {
    fn new(
        recorded: &'a Recorded,
        interface: u32,
        dated: DatedInstant,
        segments: &'s mut Vec<Segment<'a>>,
    ) -> Result<Self> {
        // One count per 4 us (RFC 9293, section 3.4.1), so that a reused port gives a different connection.
        let start = (dated.since_1970(recorded.opened)?.as_micros() / 4) as u32;
        Ok(Dialogue {
            recorded,
            interface,
            segments,
            now: recorded.opened,
            next: [start; 2],
            ended: [false; 2],
            reset: false,
        })
    }

    fn play(mut self) {
        self.signal(Direction::Up, Kind::Syn);
        self.signal(Direction::Down, Kind::Syn);
        self.acknowledge(Direction::Down);
        let crossings = self.recorded.crossings.iter();
        let mut crossings = crossings.filter(|c| c.layer == Layer::Socket).peekable();
        self.begin(&mut crossings);
        for crossing in crossings {
            self.now = self.now.max(crossing.at);
            match &crossing.what {
                What::Bytes(bytes) => self.data(crossing.direction, Cow::Borrowed(bytes)),
                What::End => self.end(crossing.direction),
                What::Reset => self.break_off(crossing.direction),
            }
        }
        if let Some(closed) = self.recorded.closed {
            self.now = self.now.max(closed);
            self.end(Direction::Down);
        }
    }

    /// Sends the client's first bytes in one piece. A server that must find out whether the client uses
    /// HTTP/2 first reads as many bytes as the preface has; split at that point, Wireshark would not
    /// recognise the protocol.
    fn begin(&mut self, crossings: &mut Peekable<impl Iterator<Item = &'a Crossing>>) {
        let is_data = |c: &&Crossing| c.direction == Direction::Up && matches!(c.what, What::Bytes(_));
        let mut first = Vec::new();
        while first.len() <= PREFACE
            && let Some(crossing) = crossings.next_if(is_data)
        {
            self.now = self.now.max(crossing.at);
            if let What::Bytes(bytes) = &crossing.what {
                first.extend(bytes);
            }
        }
        self.data(Direction::Up, Cow::Owned(first));
    }

    /// The segments of one write or read.
    fn data(&mut self, direction: Direction, bytes: Cow<'a, [u8]>) {
        let size = usize::from(MSS);
        let payloads: Vec<Cow<[u8]>> = match bytes {
            Cow::Borrowed(bytes) => bytes.chunks(size).map(Cow::Borrowed).collect(),
            Cow::Owned(bytes) => bytes.chunks(size).map(|c| Cow::Owned(c.to_vec())).collect(),
        };
        let count = payloads.len();
        for (number, payload) in (1..).zip(payloads) {
            let last = number == count;
            self.send(direction, if last { Kind::Push } else { Kind::Data }, payload);
            if last || number % 2 == 0 {
                self.acknowledge(direction);
            }
        }
    }

    /// Ends one side's stream, which can happen once.
    fn end(&mut self, direction: Direction) {
        if !self.reset && !self.ended[direction as usize] {
            self.ended[direction as usize] = true;
            self.signal(direction, Kind::Fin);
            self.acknowledge(direction);
        }
    }

    fn break_off(&mut self, direction: Direction) {
        if !self.reset {
            self.reset = true;
            self.signal(direction, Kind::Rst);
        }
    }

    /// Acknowledges what `direction` has sent.
    fn acknowledge(&mut self, direction: Direction) {
        self.signal(opposite(direction), Kind::Data);
    }

    fn send(&mut self, direction: Direction, kind: Kind, payload: Cow<'a, [u8]>) {
        let (client, server) = (self.recorded.client, self.recorded.server);
        let (from, to) = match direction {
            Direction::Up => (client, server),
            Direction::Down => (server, client),
        };
        let seq = self.next[direction as usize];
        let first = kind == Kind::Syn && direction == Direction::Up;
        // SYN and FIN count as one byte each (RFC 9293, section 3.4).
        let counts = payload.len() as u32 + u32::from(matches!(kind, Kind::Syn | Kind::Fin));
        self.next[direction as usize] = seq.wrapping_add(counts);
        self.segments.push(Segment {
            at: self.now,
            interface: self.interface,
            from,
            to,
            kind,
            seq,
            ack: (!first).then_some(self.next[opposite(direction) as usize]),
            payload,
        });
    }

    fn signal(&mut self, direction: Direction, kind: Kind) {
        self.send(direction, kind, Cow::Borrowed(&[]));
    }
}

fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Up => Direction::Down,
        Direction::Down => Direction::Up,
    }
}

impl Segment<'_> {
    /// Appends the packet, including checksums.
    fn assemble(&self, packet: &mut Vec<u8>) -> Result<()> {
        let ethernet = PacketBuilder::ethernet2([0; 6], [0; 6]);
        let ip = match (self.from, self.to) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => {
                ethernet.ipv4(from.ip().octets(), to.ip().octets(), HOP_LIMIT)
            }
            (SocketAddr::V6(from), SocketAddr::V6(to)) => {
                ethernet.ipv6(from.ip().octets(), to.ip().octets(), HOP_LIMIT)
            }
            (from, to) => bail!("{from} and {to} are addresses of different families"),
        };
        let tcp = ip.tcp(self.from.port(), self.to.port(), self.seq, WINDOW);
        let tcp = match self.ack {
            Some(number) => tcp.ack(number),
            None => tcp,
        };
        let tcp = match self.kind {
            Kind::Data => tcp,
            Kind::Push => tcp.psh(),
            Kind::Fin => tcp.fin(),
            Kind::Rst => tcp.rst(),
            Kind::Syn => offer(tcp.syn())?,
        };
        tcp.write(packet, &self.payload)
            .context("a packet came out too large")
    }
}

/// The options of a SYN, the same for both sides.
fn offer(tcp: PacketBuilderStep<TcpHeader>) -> Result<PacketBuilderStep<TcpHeader>> {
    let options = [
        TcpOptionElement::MaximumSegmentSize(MSS),
        TcpOptionElement::Noop,
        TcpOptionElement::WindowScale(WINDOW_SCALE),
    ];
    tcp.options(&options).context("the options of a SYN don't fit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{NetHeaders, PacketHeaders, TransportHeader};
    use pcap_file::pcapng::{Block, PcapNgReader};

    /// A packet after parsing.
    struct Read {
        interface: u32,
        at: Duration,
        from: SocketAddr,
        tcp: TcpHeader,
        payload: Vec<u8>,
    }

    fn dated_instant() -> DatedInstant {
        DatedInstant {
            instant: Instant::now(),
            time: UNIX_EPOCH + Duration::from_secs(1_000_000_000),
        }
    }

    fn recorded(client: &str, opened: Instant, crossings: Vec<(Direction, Layer, What)>) -> Recorded {
        let client: SocketAddr = client.parse().unwrap();
        Recorded {
            client,
            server: SocketAddr::new(client.ip(), 8_000),
            opened,
            closed: None,
            crossings: (1..)
                .zip(crossings)
                .map(|(i, (direction, layer, what))| Crossing {
                    at: opened + Duration::from_micros(10 * i),
                    direction,
                    layer,
                    what,
                })
                .collect(),
        }
    }

    fn socket(direction: Direction, bytes: &[u8]) -> (Direction, Layer, What) {
        (direction, Layer::Socket, What::Bytes(bytes.to_vec()))
    }

    fn end(direction: Direction) -> (Direction, Layer, What) {
        (direction, Layer::Socket, What::End)
    }

    fn written(interfaces: &[Interface]) -> Vec<u8> {
        let mut file = Vec::new();
        write(&mut file, interfaces).unwrap();
        file
    }

    fn one(connection: &Recorded, dated: DatedInstant) -> Vec<Read> {
        let interface = Interface {
            name: "ws",
            connections: std::slice::from_ref(connection),
            secrets: &[],
            dated,
        };
        packets(&written(&[interface]))
    }

    fn blocks(file: &[u8]) -> Vec<Block<'static>> {
        let mut reader = PcapNgReader::new(file).unwrap();
        let mut blocks = Vec::new();
        while let Some(block) = reader.next_block() {
            blocks.push(block.unwrap().into_owned());
        }
        blocks
    }

    fn packets(file: &[u8]) -> Vec<Read> {
        let packets = blocks(file).into_iter().filter_map(Block::into_enhanced_packet);
        packets.map(|packet| read(&packet)).collect()
    }

    /// Parses a packet, and checks its lengths and checksums.
    fn read(packet: &EnhancedPacketBlock) -> Read {
        assert_eq!(packet.original_len as usize, packet.data.len());
        let headers = PacketHeaders::from_ethernet_slice(&packet.data).unwrap();
        let Some(TransportHeader::Tcp(tcp)) = headers.transport else {
            panic!("not TCP: {headers:?}");
        };
        let payload = headers.payload.slice();
        let (ip, sum) = match headers.net.unwrap() {
            NetHeaders::Ipv4(ip, _) => {
                assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                (ip.source.into(), tcp.calc_checksum_ipv4(&ip, payload))
            }
            NetHeaders::Ipv6(ip, _) => (ip.source.into(), tcp.calc_checksum_ipv6(&ip, payload)),
            other => panic!("not IP: {other:?}"),
        };
        assert_eq!(tcp.checksum, sum.unwrap());
        Read {
            interface: packet.interface_id,
            at: packet.timestamp,
            from: SocketAddr::new(ip, tcp.source_port),
            payload: payload.to_vec(),
            tcp,
        }
    }

    /// Reassembles a stream; every sequence number must be the expected one.
    fn follow(packets: &[Read], from: SocketAddr) -> Vec<u8> {
        let mut stream = Vec::new();
        let mut next = [None::<u32>; 2];
        for packet in packets {
            let side = usize::from(packet.from != from);
            assert_eq!(
                packet.tcp.sequence_number,
                next[side].unwrap_or(packet.tcp.sequence_number)
            );
            if packet.tcp.ack {
                assert_eq!(Some(packet.tcp.acknowledgment_number), next[1 - side]);
            } else {
                assert!(packet.tcp.syn && next == [None; 2]);
            }
            let counts = packet.payload.len() as u32 + u32::from(packet.tcp.syn) + u32::from(packet.tcp.fin);
            next[side] = Some(packet.tcp.sequence_number.wrapping_add(counts));
            if side == 0 {
                stream.extend(&packet.payload);
            }
        }
        stream
    }

    fn flags(packets: &[Read]) -> Vec<String> {
        let flags = |p: &Read| {
            let named = [
                (p.tcp.syn, 'S'),
                (p.tcp.fin, 'F'),
                (p.tcp.rst, 'R'),
                (p.tcp.psh, 'P'),
                (p.tcp.ack, '.'),
            ];
            let flags: String = named
                .iter()
                .filter(|(set, _)| *set)
                .map(|(_, name)| name)
                .collect();
            let arrow = if p.tcp.destination_port == 8_000 { '>' } else { '<' };
            format!("{arrow}{flags}{}", p.payload.len())
        };
        packets.iter().map(flags).collect()
    }

    #[test]
    fn every_byte_is_there_once_and_in_order() {
        let dated = dated_instant();
        let bytes: Vec<u8> = (0..10_000_u32).map(|i| (i % 251) as u8).collect();
        for client in ["127.0.0.1:40000", "[::1]:40000"] {
            let connection = recorded(
                client,
                dated.instant,
                vec![
                    socket(Direction::Up, &bytes[..300]),
                    socket(Direction::Down, &bytes),
                    (
                        Direction::Down,
                        Layer::Plain,
                        What::Bytes(b"the same, decrypted".to_vec()),
                    ),
                    socket(Direction::Up, &bytes[300..301]),
                    end(Direction::Up),
                    socket(Direction::Down, &bytes[..1_448 * 2]),
                    end(Direction::Down),
                ],
            );
            let packets = one(&connection, dated);
            assert_eq!(follow(&packets, connection.client), bytes[..301]);
            let down = [&bytes, &bytes[..1_448 * 2]].concat();
            assert_eq!(follow(&packets, connection.server), down);
            assert!(packets.iter().all(|p| p.payload.len() <= 1_448));
            assert!(packets.is_sorted_by_key(|p| p.at));
            assert_eq!(packets[0].at, Duration::from_secs(1_000_000_000));
            let last = connection.crossings.last().unwrap().at - dated.instant;
            assert_eq!(packets.last().unwrap().at - packets[0].at, last);
        }
    }

    #[test]
    fn a_connection_opens_talks_and_ends_as_tcp_does() {
        let dated = dated_instant();
        let mut connection = recorded(
            "127.0.0.1:40000",
            dated.instant,
            vec![socket(Direction::Down, &[b'x'; 4_000]), end(Direction::Up)],
        );
        let opening = [">S0", "<S.0", ">.0"];
        let talk = ["<.1448", "<.1448", ">.0", "<P.1104", ">.0"];
        let client_ends = [">F.0", "<.0"];
        let expected = [&opening[..], &talk, &client_ends].concat();
        assert_eq!(
            flags(&one(&connection, dated)),
            expected,
            "nobody saw the server close"
        );

        connection.closed = Some(dated.instant + Duration::from_secs(1));
        let server_ends = ["<F.0", ">.0"];
        let expected = [&expected[..], &server_ends].concat();
        let packets = one(&connection, dated);
        assert_eq!(flags(&packets), expected);
        assert_eq!(packets.last().unwrap().at, Duration::from_secs(1_000_000_001));
        follow(&packets, connection.client);

        connection.crossings[1].direction = Direction::Down;
        let expected = [&opening[..], &talk, &server_ends].concat();
        assert_eq!(flags(&one(&connection, dated)), expected, "an end is said once");

        connection.crossings[1].what = What::Reset;
        let expected = [&opening[..], &talk, &["<R.0"]].concat();
        assert_eq!(
            flags(&one(&connection, dated)),
            expected,
            "nothing follows a reset"
        );
    }

    #[test]
    fn a_clients_first_bytes_are_one_segment_however_they_were_read() {
        let dated = dated_instant();
        let read = [&[b'a'; 24][..], b"b", b"c"];
        let crossings = read.map(|bytes| socket(Direction::Up, bytes));
        let connection = recorded("127.0.0.1:40000", dated.instant, crossings.to_vec());
        let packets = one(&connection, dated);
        assert_eq!(follow(&packets, connection.client), read.concat());
        let seen = flags(&packets);
        assert_eq!(seen[3..], [">P.25", "<.0", ">P.1", "<.0"]);
        let second = dated.instant + Duration::from_micros(20);
        assert_eq!(
            packets[3].at,
            dated.since_1970(second).unwrap(),
            "all of it was there by then"
        );
    }

    #[test]
    fn every_technique_is_an_interface_and_packets_are_sorted_by_time() {
        let dated = dated_instant();
        let before = dated.instant - Duration::from_micros(15);
        let first = [recorded(
            "127.0.0.1:40000",
            dated.instant,
            vec![socket(Direction::Up, b"1")],
        )];
        let second = [recorded(
            "127.0.0.1:40001",
            before,
            vec![socket(Direction::Down, b"2"), socket(Direction::Up, b"3")],
        )];
        let interfaces = [("sse", &first), ("ws", &second)].map(|(name, connections)| Interface {
            name,
            connections,
            secrets: &[],
            dated,
        });
        let file = written(&interfaces);
        let names: Vec<String> = blocks(&file)
            .into_iter()
            .filter_map(Block::into_interface_description)
            .flat_map(|interface| interface.options)
            .filter_map(|option| match option {
                InterfaceDescriptionOption::IfName(name) => Some(name.into_owned()),
                _ => None,
            })
            .collect();
        assert_eq!(names, ["sse", "ws"]);
        let packets = packets(&file);
        assert!(packets.is_sorted_by_key(|p| p.at));
        let data = packets.iter().filter(|p| !p.payload.is_empty());
        let data: Vec<_> = data.map(|p| (p.interface, &p.payload[..])).collect();
        assert_eq!(data, [(1, &b"2"[..]), (1, b"3"), (0, b"1")]);
    }

    #[test]
    fn a_port_used_again_starts_at_another_number() {
        let dated = dated_instant();
        let again = dated.instant + Duration::from_millis(1);
        let starts = [dated.instant, again].map(|opened| {
            let connection = recorded("127.0.0.1:40000", opened, Vec::new());
            one(&connection, dated)[0].tcp.sequence_number
        });
        assert_eq!(starts[1].wrapping_sub(starts[0]), 250);
    }

    #[test]
    fn secrets_lie_in_front_of_the_packets() {
        let dated = dated_instant();
        let connections = [recorded("127.0.0.1:40000", dated.instant, Vec::new())];
        let secrets = [
            "CLIENT_RANDOM 00 11".to_string(),
            "CLIENT_RANDOM 22 33\n".to_string(),
        ];
        let interface = Interface {
            name: "ws",
            connections: &connections,
            secrets: &secrets,
            dated,
        };
        let blocks = blocks(&written(&[interface]));
        let Block::Unknown(block) = &blocks[1] else {
            panic!("not the secrets: {:?}", blocks[1]);
        };
        assert_eq!(block.type_, 10);
        let log = b"CLIENT_RANDOM 00 11\nCLIENT_RANDOM 22 33\n";
        assert_eq!(block.value[..8], *b"KSLT\x28\0\0\0");
        assert_eq!(block.value[8..], *log);
        assert!(matches!(blocks[2], Block::EnhancedPacket(_)));
        assert!(blocks.len() == 5);
    }

    #[test]
    fn a_writer_that_fails_is_told_apart() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let failed = write(Full, &[]).unwrap_err();
        let failed = failed.downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(failed.kind(), std::io::ErrorKind::StorageFull);
    }
}
