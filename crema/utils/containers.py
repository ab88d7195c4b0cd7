"""Checks of the length that an audio file declares, which libsndfile lacks."""

import functools
import itertools
import math
import mmap
import os
import re
import struct
import zlib

from crema.exceptions import AudioError

#: Tolerated error of an MP3's length in samples: encoder and decoder pad it.
MP3_PADDING = 2400
#: Headers that declare the length of an MP3 in its first frame, and the number of bytes
#: to search for them.
MP3_HEADERS, MP3_FRAME = (b"Xing", b"Info", b"VBRI"), 4096
#: Seconds of an MP3 that need not be read: padding, and damaged frames at its end.
MP3_UNREAD = 1.0
#: Bitrates in kbit/s of MPEG-1 Layer III, and of MPEG-2 and 2.5, in the order of their
#: index in the header of a frame.
BITRATES_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
BITRATES_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
#: Number of frames that libsndfile reports for a FLAC of undeclared length.
UNKNOWN = 2**63 - 1
#: Log of libsndfile on a WAV, AIFF, W64, RF64 or AU: bytes declared and present.
PROMISED = r"^\s*(?:data|SSND|riff|Riff size|Data Size)\s*: (\d+) \(should be (\d+)\)"
#: Placeholder of programs that write to a pipe: they declare at least so many bytes.
STREAMED = 0x7F000000
#: Each byte with its bits reversed.
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def missing(path, stream):
    """Return by how many samples a file can be shorter than libsndfile expects.

    Parameters
    ----------
    path : str
        The file.
    stream : soundfile.SoundFile
        The same file, open.

    Returns
    -------
    float
        Infinity for Ogg, and for a file that does not declare its length.

    Raises
    ------
    AudioError
        The file is truncated or damaged, or holds chained Ogg streams, of which
        libsndfile reads only the first.
    """
    # libsndfile reduces the length of a truncated file to what is there, and logs it.
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
    """Return whether an ID3v1 tag follows the audio of a FLAC."""
    size = os.path.getsize(path)
    if stream.format != "FLAC" or size < 128:
        return False
    with open(path, "rb") as file:
        file.seek(size - 128)
        return file.read(3) == b"TAG"


def tells_length(path):
    """Return whether an MP3 declares its length, which libsndfile else guesses."""
    with open(path, "rb") as file:
        skip_id3(file)
        frame = file.read(MP3_FRAME)
    return any(header in frame for header in MP3_HEADERS)


def skip_id3(file):
    """Go to the end of the ID3v2 tag at the beginning of a file, if it has one."""
    tag = file.read(10)
    if tag[:3] == b"ID3" and len(tag) == 10:
        a, b, c, d = tag[6:]  # its length, 7 bits in each byte
        file.seek(10 + (a << 21 | b << 14 | c << 7 | d))
    else:
        file.seek(0)


@functools.cache
def mp3_frames():
    """Return the size and the duration of the frames of an MP3, by their header.

    Returns
    -------
    frames : dict of bytes to (int, float)
        Bytes and seconds of a frame of Layer III, by its first three bytes.  Frames of
        free format, whose headers do not hold a bitrate, are left out.
    header : re.Pattern
        Matches these headers.

    References
    ----------
    ISO/IEC 11172-3, 2.4.1.3 and 2.4.2.3; ISO/IEC 13818-3, 2.4.2.3.
    """
    frames = {}
    # MPEG-1, MPEG-2, and MPEG-2.5 (not standardised).
    for version, divisor in ((0xFA, 1), (0xF2, 2), (0xE2, 4)):
        n_samples, bitrates = (1152, BITRATES_1) if divisor == 1 else (576, BITRATES_2)
        for unprotected, third in itertools.product((0, 1), range(0x10, 0xF0)):
            if third >> 2 & 3 == 3:
                continue  # a reserved sampling rate
            rate = (44100, 48000, 32000)[third >> 2 & 3] // divisor
            bitrate, padding = 1000 * bitrates[(third >> 4) - 1], third >> 1 & 1
            size = n_samples // 8 * bitrate // rate + padding
            frames[bytes([0xFF, version | unprotected, third])] = size, n_samples / rate
    second, third = (re.escape(bytes({one[i] for one in frames})) for i in (1, 2))
    return frames, re.compile(b"\xff[%s][%s]" % (second, third))


def check_mp3(path, seconds, expected):
    """Check that all of an MP3 was read, by its frames.

    libsndfile guesses the length of an MP3 that does not tell it, and reads only the
    first of several that were put together.  It takes other files, such as an AAC, for
    an MP3 if they look like one somewhere, and reads a fraction of a second.

    Parameters
    ----------
    path : str
        The file.
    seconds : float
        Duration of the audio that was read.
    expected : float
        The duration that libsndfile expected.

    Raises
    ------
    AudioError
        There is more, or the file is no MP3.
    """
    duration, share = mp3_extent(path)
    if duration > seconds + MP3_UNREAD:
        raise AudioError(
            f"{path}: only the first {seconds:.0f} of {duration:.0f} s could be read; "
            "convert it to FLAC, for example with ffmpeg"
        )
    if share < 0.5 and seconds < 0.5 * expected:
        raise AudioError(
            f"{path}: is not an MP3 or is damaged; convert it to FLAC, for example "
            "with ffmpeg, or leave it out"
        )


def mp3_extent(path):
    """Measure the frames of an MP3.

    The first header, and the first after anything that is not a frame, such as a tag,
    counts only if a frame of the same duration follows.

    Returns
    -------
    duration : float
        Their total duration in seconds.
    share : float
        Their share of the bytes after an ID3v2 tag.
    """
    with open(path, "rb") as file:
        skip_id3(file)
        at = start = file.tell()
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    frames, header = mp3_frames()
    duration, n_bytes = 0.0, 0
    while sync := header.search(data, at):
        at = sync.start()
        size, seconds = frames[sync[0]]
        _, following = frames.get(data[at + size : at + size + 3], (0, 0))
        if following != seconds:
            at += 1
            continue
        while frame := frames.get(data[at : at + 3]):
            at += frame[0]
            n_bytes += frame[0]
            duration += frame[1]
    return duration, n_bytes / max(1, len(data) - start)


def check_ogg(path):
    """Check the pages of an Ogg file.

    A decoder skips damaged and missing pages, so that everything after them is too
    early; of chained streams, libsndfile reads only the first.

    Raises
    ------
    AudioError
        A page is damaged or missing, or there are chained streams.

    References
    ----------
    RFC 3533, sections 4 and 6.
    """
    numbers, ended, intact, has_content = {}, set(), True, False
    with open(path, "rb") as stream:
        while len(header := stream.read(27)) == 27 and header[:4] == b"OggS":
            flags, serial, number, checksum = struct.unpack_from(
                "<xBxxxxxxxxIII", header, 4
            )
            sizes = stream.read(header[26])
            body = stream.read(sum(sizes))
            page = header[:22] + bytes(4) + header[26:] + sizes + body
            # The checksum of a truncated page is wrong, too.
            intact &= checksum == ogg_checksum(page)
            begins, ends = flags & 2, flags & 4
            if begins and has_content:
                raise AudioError(
                    f"{path}: contains several chained streams; split it or convert it"
                )
            if not begins:
                intact &= number == numbers.get(serial, -1) + 1
            numbers[serial], has_content = number, has_content or not begins
            if ends:
                ended.add(serial)
    if not intact or ended != set(numbers):
        raise AudioError(
            f"{path}: truncated or damaged; replace the file or leave it out"
        )


def ogg_checksum(page):
    """Return the checksum of an Ogg page: CRC-32, not reflected, initial value 0."""
    ones = 0xFFFFFFFF
    mirrored = zlib.crc32(page.translate(MIRRORED), ones) ^ ones
    return int(f"{mirrored:032b}"[::-1], 2)
