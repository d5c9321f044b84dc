//! Headers of a zip archive: the entries of its directory, and what stands before the bytes of a member. Knows nothing of what members
//! hold.
//!
//! Layouts: APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.

use std::io::{self, Read, Seek, SeekFrom};

use flate2::Crc;

/// Begins the header before a member's bytes.
pub(super) const LOCAL: &[u8] = b"PK\x03\x04";
/// Begins an entry of the directory.
const ENTRY: &[u8] = b"PK\x01\x02";
/// Length of a local header without name and extra fields.
const LOCAL_BYTES: u64 = 30;
/// Length of an entry without name, extra fields and comment.
const ENTRY_BYTES: u64 = 46;
/// Length of the last record without its comment.
const END_BYTES: u64 = 22;

/// An entry of the directory.
pub(super) struct Entry {
    /// With `/` between folders, and at the end where it is a folder.
    pub name: String,
    /// Where its local header is, counted from the start of the archive.
    pub header: u64,
    pub packed: u64,
    pub size: u64,
    pub crc: u32,
    pub flags: u16,
    pub method: u16,
    /// A symbolic link.
    pub is_link: bool,
}

/// Reads the entries of the directory one after the other, `most` at most; returns also where they end. The count that the end of the
/// directory gives is not asked: tools without Zip64 let it wrap.
pub(super) fn entries(
    file: &mut (impl Read + Seek),
    from: u64,
    most: usize,
) -> io::Result<(Vec<Entry>, u64)> {
    let mut entries = Vec::new();
    let mut at = from;
    file.seek(SeekFrom::Start(from))?;
    while entries.len() < most {
        let head = up_to(file, ENTRY_BYTES)?;
        if (head.len() as u64) < ENTRY_BYTES || !head.starts_with(ENTRY) {
            break;
        }
        let (name, extra) = (number(&head, 28, 2), number(&head, 30, 2));
        let length = name + extra + number(&head, 32, 2);
        let rest = up_to(file, length)?;
        if (rest.len() as u64) < length {
            break;
        }
        let (name, rest) = rest.split_at(name as usize);
        entries.push(entry(&head, name, &rest[..extra as usize]));
        at += ENTRY_BYTES + length;
    }
    Ok((entries, at))
}

fn entry(head: &[u8], name: &[u8], extra: &[u8]) -> Entry {
    /// Of the attributes that Unix systems write.
    const KIND: u64 = 0o170_000;
    const LINK: u64 = 0o120_000;
    let mut wide = [
        number(head, 24, 4),
        number(head, 20, 4),
        number(head, 42, 4),
    ];
    if let Some((_, mut content)) = extras(extra).find(|(id, _)| *id == 1) {
        // Zip64: those that do not fit stand here, one after the other.
        for value in wide.iter_mut().filter(|v| **v == u64::from(u32::MAX)) {
            if let Some((own, rest)) = content.split_at_checked(8) {
                *value = number(own, 0, 8);
                content = rest;
            }
        }
    }
    let [size, packed, header] = wide;
    let is_dos = head[5] == 0;
    Entry {
        name: name_of(name, extra),
        header,
        packed,
        size,
        crc: number(head, 16, 4) as u32,
        flags: number(head, 8, 2) as u16,
        method: number(head, 10, 2) as u16,
        is_link: !is_dos && number(head, 40, 2) & KIND == LINK,
    }
}

/// Where the records behind the directory end: a signature, the ends for large archives, the end itself with its comment. Where they do not
/// follow, the end is elsewhere, with a comment of that length.
pub(super) fn end(
    file: &mut (impl Read + Seek),
    from: u64,
    comment: u64,
    length: u64,
) -> io::Result<u64> {
    /// Of the three before the end there is one each at most.
    const RECORDS: usize = 4;
    let mut at = from;
    for _ in 0..RECORDS {
        if at >= length {
            return Ok(length);
        }
        file.seek(SeekFrom::Start(at))?;
        let head = up_to(file, END_BYTES)?;
        let record = match head.get(..4) {
            Some(b"PK\x05\x05") => 6 + number(&head, 4, 2),
            Some(b"PK\x06\x06") => number(&head, 4, 8).saturating_add(12),
            Some(b"PK\x06\x07") => 20,
            Some(b"PK\x05\x06") => return Ok(at + END_BYTES + number(&head, 20, 2)),
            _ => break,
        };
        at = at.saturating_add(record);
    }
    Ok(at.saturating_add(END_BYTES + comment))
}

/// Where a member's bytes begin; nothing where no header is.
pub(super) fn data_start(
    file: &mut (impl Read + Seek),
    header: u64,
    length: u64,
) -> io::Result<Option<u64>> {
    if header >= length {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(header))?;
    let head = up_to(file, LOCAL_BYTES)?;
    if (head.len() as u64) < LOCAL_BYTES || !head.starts_with(LOCAL) {
        return Ok(None);
    }
    let variable = number(&head, 26, 2) + number(&head, 28, 2);
    Ok(Some(header + LOCAL_BYTES + variable))
}

/// A local header.
pub(super) struct Local {
    pub name: String,
    /// Where the member's bytes begin.
    pub start: u64,
    pub packed: u64,
    pub size: u64,
    pub crc: u32,
    pub flags: u16,
    pub method: u16,
}

impl Local {
    /// Reads the header that begins here; nothing where none does, or the file of this length ends in it.
    pub(super) fn read(
        file: &mut (impl Read + Seek),
        at: u64,
        length: u64,
    ) -> io::Result<Option<Local>> {
        let Some(start) = data_start(file, at, length)?.filter(|start| *start <= length) else {
            return Ok(None);
        };
        file.seek(SeekFrom::Start(at))?;
        let head = up_to(file, LOCAL_BYTES)?;
        let name = up_to(file, number(&head, 26, 2))?;
        Ok(Some(Local {
            name: name_of(&name, &[]),
            start,
            packed: number(&head, 18, 4),
            size: number(&head, 22, 4),
            crc: number(&head, 14, 4) as u32,
            flags: number(&head, 6, 2) as u16,
            method: number(&head, 8, 2) as u16,
        }))
    }
}

/// The next bytes, fewer at the end of the file.
fn up_to(file: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A number, the lowest byte first.
fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    let own = bytes.iter().skip(at).take(width);
    own.rev().fold(0, |n, byte| (n << 8) | u64::from(*byte))
}

/// Extra fields: their numbers and contents.
fn extras(mut rest: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        let (head, behind) = rest.split_at_checked(4)?;
        let (content, behind) = behind.split_at_checked(number(head, 2, 2) as usize)?;
        rest = behind;
        Some((number(head, 0, 2), content))
    })
}

/// A name as text: what Info-ZIP adds in UTF-8, else UTF-8 where it is that, else the letters of DOS.
fn name_of(raw: &[u8], extra: &[u8]) -> String {
    /// Info-ZIP's field for names: version, checksum of the name that it stands for, name.
    const NAME: u64 = 0x7075;
    let mut crc = Crc::new();
    crc.update(raw);
    let better = extras(extra).find_map(|(id, content)| {
        let fits = id == NAME && number(content, 1, 4) == u64::from(crc.sum());
        content.get(5..).filter(|_| fits)
    });
    let raw = better.unwrap_or(raw);
    let name = std::str::from_utf8(raw)
        .map_or_else(|_| raw.iter().map(|b| dos(*b)).collect(), str::to_string);
    // Windows tools of old wrote what stands between folders there.
    name.replace('\\', "/")
}

/// The letter of a byte in code page 437.
fn dos(byte: u8) -> char {
    const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
    let upper = byte.checked_sub(128);
    upper
        .and_then(|i| UPPER.chars().nth(i.into()))
        .unwrap_or(byte as char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_whatever_wrote_them() {
        assert_eq!(name_of("Prüfung.csv".as_bytes(), &[]), "Prüfung.csv");
        assert_eq!(name_of(b"Pr\x81fung.csv", &[]), "Prüfung.csv");
        assert_eq!(name_of(b"a\\b.csv", &[]), "a/b.csv");
        assert_eq!((dos(0x80), dos(0xe1), dos(0xff)), ('Ç', 'ß', '\u{a0}'));
        let mut crc = Crc::new();
        crc.update(b"?.csv");
        let field = |crc: u32| {
            let mut field = vec![0x75, 0x70, 11, 0, 1];
            field.extend(crc.to_le_bytes());
            field.extend("ж.csv".as_bytes());
            field
        };
        assert_eq!(name_of(b"?.csv", &field(crc.sum())), "ж.csv");
        assert_eq!(name_of(b"?.csv", &field(1)), "?.csv");
    }

    #[test]
    fn sizes_beyond_4_gib_stand_in_a_field_of_their_own() {
        let mut head = [0; ENTRY_BYTES as usize];
        head[20..28].fill(0xff);
        head[42..46].copy_from_slice(&7_u32.to_le_bytes());
        let mut extra = vec![1, 0, 16, 0];
        extra.extend((5_u64 << 32).to_le_bytes());
        extra.extend((3_u64 << 32).to_le_bytes());
        let entry = entry(&head, b"a.csv", &extra);
        assert_eq!(
            [entry.size, entry.packed, entry.header],
            [5 << 32, 3 << 32, 7]
        );
    }
}
