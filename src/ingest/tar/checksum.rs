//! How the header of a member of a tar archive is told from other bytes: by its checksum.

use ::tar::Header;

/// An archive is made of blocks of so many bytes.
pub(super) const BLOCK: usize = 512;

/// Whether a file that begins so is a tar archive: a header has the sum of its own bytes.
pub(in crate::ingest) fn is_header(head: &[u8]) -> bool {
    // Headers of extensions may have no name.
    let is_named = |block: &&[u8]| block[0] != 0 || block[257..].starts_with(b"ustar");
    let Some(block) = head.get(..BLOCK).filter(is_named) else {
        return false;
    };
    /// Where the sum stands, which counts as blanks.
    const SUM: std::ops::Range<usize> = 148..156;
    let rest = block[..SUM.start].iter().chain(&block[SUM.end..]);
    let sum = rest.map(|b| u32::from(*b)).sum::<u32>() + 8 * u32::from(b' ');
    let header = Header::from_byte_slice(block);
    header.cksum().is_ok_and(|own| own == sum)
}
