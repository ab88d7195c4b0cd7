"""What audio files say of their own length, where libsndfile does not check it."""

import math
import os
import re
import struct
import zlib

from crema.exceptions import AudioError

#: Samples by which the length of an MP3 may be off: encoder and decoder pad it.
MP3_PADDING = 2400
#: What the first frame of an MP3 holds where it tells the length of all, and how many
#: bytes from its beginning.
MP3_HEADERS, MP3_FRAME = (b"Xing", b"Info", b"VBRI"), 4096
#: What libsndfile says of a length that a FLAC does not tell.
UNKNOWN = 2**63 - 1
#: Bytes of a WAV, AIFF, W64, RF64 or AU by its header, and those that there are.
PROMISED = r"^\s*(?:data|SSND|riff|Riff size|Data Size)\s*: (\d+) \(should be (\d+)\)"
#: A program that writes to a pipe promises at least so many, as it cannot know.
STREAMED = 0x7F000000
#: Each byte with its bits in reverse.
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def missing(path, stream):
    """Return by how many samples a file may be shorter than libsndfile expects.

    Parameters
    ----------
    path : str
        The file.
    stream : soundfile.SoundFile
        The same, open.

    Returns
    -------
    float
        Infinite where its length is not told.

    Raises
    ------
    AudioError
        The file is cut off or damaged, or holds several pieces of which only the first
        would be read.
    """
    # libsndfile takes what was cut off for as long as its file is, and says so.
    cut = re.search(PROMISED, stream.extra_info, re.M)
    if cut and int(cut[2]) < int(cut[1]) < STREAMED:
        raise AudioError(
            f"{path}: truncated or damaged; replace the file or leave it out"
        )
    if stream.format == "OGG":
        check_ogg(path)
        return math.inf
    if stream.format == "MP3":
        return MP3_PADDING if tells_length(path) else math.inf
    return math.inf if stream.frames == UNKNOWN else 0


def tagged(path, stream):
    """Return whether a tag follows the audio of a FLAC (ID3v1), which is no audio."""
    size = os.path.getsize(path)
    if stream.format != "FLAC" or size < 128:
        return False
    with open(path, "rb") as file:
        file.seek(size - 128)
        return file.read(3) == b"TAG"


def tells_length(path):
    """Return whether an MP3 tells its length; else libsndfile guesses it."""
    with open(path, "rb") as file:
        tag = file.read(10)
        if tag[:3] == b"ID3" and len(tag) == 10:
            a, b, c, d = tag[6:]  # its length, 7 bits in each byte
            file.seek(10 + (a << 21 | b << 14 | c << 7 | d))
        else:
            file.seek(0)
        frame = file.read(MP3_FRAME)
    return any(header in frame for header in MP3_HEADERS)


def check_ogg(path):
    """Check the pages of an Ogg file.

    A decoder leaves out what is damaged or missing, and all that follows is too early;
    and of pieces that were put together, libsndfile reads the first.

    Raises
    ------
    AudioError
        A page is damaged or missing, or there are several pieces.

    References
    ----------
    RFC 3533, sections 4 and 6.
    """
    last, ended, whole, begun = {}, set(), True, False
    with open(path, "rb") as stream:
        while len(header := stream.read(27)) == 27 and header[:4] == b"OggS":
            flags, serial, number, checksum = struct.unpack_from(
                "<xBxxxxxxxxIII", header, 4
            )
            sizes = stream.read(header[26])
            body = stream.read(sum(sizes))
            page = header[:22] + bytes(4) + header[26:] + sizes + body
            # What an interrupted page lacks is told by its checksum, too.
            whole &= checksum == ogg_checksum(page)
            begins, ends = flags & 2, flags & 4
            if begins and begun:
                raise AudioError(
                    f"{path}: holds several pieces, one after the other; take them "
                    "apart or convert it"
                )
            if not begins:
                whole &= number == last.get(serial, -1) + 1
            last[serial], begun = number, begun or not begins
            if ends:
                ended.add(serial)
    if not whole or ended != set(last):
        raise AudioError(
            f"{path}: truncated or damaged; replace the file or leave it out"
        )


def ogg_checksum(page):
    """Return the checksum of an Ogg page: a CRC-32 that takes bits the other way."""
    ones = 0xFFFFFFFF
    mirrored = zlib.crc32(page.translate(MIRRORED), ones) ^ ones
    return int(f"{mirrored:032b}"[::-1], 2)
