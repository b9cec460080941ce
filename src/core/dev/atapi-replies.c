/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Packet commands whose answer is a description: of the drive, of the disc. MMC-6 unless said. */

#include "core/dev/atapi.h"
#include <string.h>

#define CD_MAX_SECTORS 405000 /* 90 minutes: more is a DVD */
enum { PROFILE_CD_ROM = 0x08, PROFILE_DVD_ROM = 0x10 };

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
    put16(p, value >> 16);
    put16(p + 2, value);
}

static unsigned get16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static bool is_dvd(const AtaDrive *drive)
{
    return atapi_sectors(drive) > CD_MAX_SECTORS;
}

static uint8_t to_bcd(uint32_t n)
{
    return (uint8_t)(n / 10 << 4 | n % 10);
}

void atapi_put_msf(uint8_t out[3], uint32_t lba, bool bcd)
{
    uint32_t frames = lba + 150; /* the lead-in is two seconds */
    uint32_t part[3] = { frames / (75 * 60) % 100, frames / 75 % 60, frames % 75 };
    for (unsigned i = 0; i < 3; i++)
        out[i] = bcd ? to_bcd(part[i]) : (uint8_t)part[i];
}

/* An address in a table, in the form that was asked for. */
static void put_address(uint8_t *p, uint32_t lba, bool msf)
{
    if (!msf) {
        put32(p, lba);
        return;
    }
    p[0] = 0;
    atapi_put_msf(p + 1, lba, false);
}

/* ACS-3 §7.13. */
void atapi_identify(const AtaDrive *drive, uint16_t w[256])
{
    memset(w, 0, 512);
    w[0] = 0x85C0; /* ATAPI, CD-ROM, removable, DRQ within 50 µs, 12-byte packets */
    ata_put_string(w + 10, drive->serial, 10);
    ata_put_string(w + 23, "1.0", 4);
    ata_put_string(w + 27, "VITRINE DVD-ROM", 20);
    w[49] = 0x0F00; /* DMA, LBA, IORDY */
    w[53] = 0x0007;
    w[63] = 0x0007;
    w[64] = 0x0003;
    w[65] = w[66] = w[67] = w[68] = 120;
    w[76] = 0x0006; /* 1.5 and 3 Gb/s */
    w[80] = 0x01F0;
    w[82] = w[85] = 0x4210; /* NOP, DEVICE RESET, PACKET */
    w[83] = w[84] = 0x4000;
    w[87] = 0x4000;
    w[88] = 0x203F;
    w[222] = 0x101F;
    ata_finish_identify(w);
}

/* SPC-3 §6.4. */
void atapi_inquiry(AtaCommand *command)
{
    uint8_t r[36] = { 0x05, 0x80, 0x05, 0x21, [4] = 31 };

    if (command->packet[1] & 1) { /* vital product data: only the list of none */
        const uint8_t pages[5] = { 0x05, 0x00, 0x00, 1, 0x00 };
        if (command->packet[2] != 0)
            atapi_fail(command, ATAPI_ILLEGAL_REQUEST, 0x24, 0x00);
        else
            atapi_reply(command, pages, sizeof pages, get16(command->packet + 3));
        return;
    }
    memcpy(r + 8, "VITRINE DVD-ROM         1.0 ", 28);
    atapi_reply(command, r, sizeof r, get16(command->packet + 3));
}

/* --- mode pages ------------------------------------------------------------------------------- */

static const uint8_t page_error_recovery[] = { 0x01, 0x06, 0x00, 0x05, 0, 0, 0, 0 };
static const uint8_t page_audio[] = {
    0x0E, 0x0E, 0x04, 0, 0, 0, 0, 75, 1, 255, 2, 255, 0, 0, 0, 0
};
static const uint8_t page_power[] = { 0x1A, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
static const uint8_t page_capabilities[] = { 0x2A,
                                             0x14,
                                             0x3B /* reads CD-R, CD-RW, DVD-ROM, DVD-R */,
                                             0x00,
                                             0x70, /* multi-session, mode 2 */
                                             0x00, /* no audio extraction */
                                             0x29, /* tray, eject, lock; bit 1 while locked */
                                             0x00,
                                             0x0B,
                                             0x00 /* 16× DVD, in kB/s */,
                                             0x00,
                                             0x02,
                                             0x02,
                                             0x00 /* buffer 512 KiB */,
                                             0x0B,
                                             0x00,
                                             0,
                                             0,
                                             0,
                                             0,
                                             0,
                                             0 };

static size_t add_page(uint8_t *out, size_t at, uint8_t wanted, const uint8_t *page, size_t length)
{
    if (wanted != 0x3F && wanted != page[0])
        return at;
    memcpy(out + at, page, length);
    return at + length;
}

/* Fills the pages asked for behind a header of @head bytes; returns the total or 0 when unknown. */
static size_t mode_pages(const AtaDrive *drive, uint8_t *out, size_t head, uint8_t wanted)
{
    size_t at = head;

    at = add_page(out, at, wanted, page_error_recovery, sizeof page_error_recovery);
    at = add_page(out, at, wanted, page_audio, sizeof page_audio);
    at = add_page(out, at, wanted, page_power, sizeof page_power);
    size_t capabilities = at;
    at = add_page(out, at, wanted, page_capabilities, sizeof page_capabilities);
    if (at > capabilities && drive->locked)
        out[capabilities + 6] |= 2;
    return at > head ? at : 0;
}

static uint8_t mode_medium_type(const AtaDrive *drive)
{
    return drive->tray_open ? 0x71 : drive->disk ? 0x01 : 0x70;
}

void atapi_mode_sense_6(AtaCommand *command)
{
    uint8_t r[256] = { 0 };
    size_t length = mode_pages(command->drive, r, 4, command->packet[2] & 0x3F);

    if (!length || (command->packet[2] & 0xC0) == 0xC0) {
        atapi_fail(command, ATAPI_ILLEGAL_REQUEST, 0x24, 0x00);
        return;
    }
    r[0] = (uint8_t)(length - 1);
    r[1] = mode_medium_type(command->drive);
    atapi_reply(command, r, length, command->packet[4]);
}

void atapi_mode_sense_10(AtaCommand *command)
{
    uint8_t r[256] = { 0 };
    size_t length = mode_pages(command->drive, r, 8, command->packet[2] & 0x3F);

    if (!length) {
        atapi_fail(command, ATAPI_ILLEGAL_REQUEST, 0x24, 0x00);
        return;
    }
    if ((command->packet[2] & 0xC0) == 0xC0) { /* saved values: nothing is saved */
        atapi_fail(command, ATAPI_ILLEGAL_REQUEST, 0x39, 0x00);
        return;
    }
    put16(r, (uint32_t)length - 2);
    r[2] = mode_medium_type(command->drive);
    atapi_reply(command, r, length, get16(command->packet + 7));
}

/* --- the disc --------------------------------------------------------------------------------- */

void atapi_read_capacity(AtaCommand *command)
{
    uint8_t r[8];

    put32(r, atapi_sectors(command->drive) - 1);
    put32(r + 4, ATAPI_SECTOR);
    atapi_reply(command, r, sizeof r, sizeof r);
}

void atapi_read_subchannel(AtaCommand *command)
{
    uint8_t r[4] = { 0, 0x15 /* no audio status */ };
    atapi_reply(command, r, sizeof r, get16(command->packet + 7));
}

/* One data track and the lead-out. */
static size_t toc_tracks(const AtaDrive *drive, uint8_t *r, bool msf, uint8_t first)
{
    size_t at = 4;

    if (first > 1 && first != 0xAA)
        return 0;
    r[2] = r[3] = 1;
    if (first <= 1) {
        r[at + 1] = 0x14; /* data track */
        r[at + 2] = 1;
        put_address(r + at + 4, 0, msf);
        at += 8;
    }
    r[at + 1] = 0x16;
    r[at + 2] = 0xAA;
    put_address(r + at + 4, atapi_sectors(drive), msf);
    at += 8;
    put16(r, (uint32_t)at - 2);
    return at;
}

static size_t toc_sessions(uint8_t *r, bool msf)
{
    r[2] = r[3] = 1;
    r[5] = 0x14;
    r[6] = 1;
    put_address(r + 8, 0, msf);
    put16(r, 10);
    return 12;
}

/* Points A0 (first track), A1 (last track), A2 (lead-out) and the track itself; always in MSF. */
static size_t toc_full(const AtaDrive *drive, uint8_t *r)
{
    static const uint8_t point[4] = { 0xA0, 0xA1, 0xA2, 1 };
    size_t at = 4;

    r[2] = r[3] = 1;
    for (unsigned i = 0; i < 4; i++, at += 11) {
        r[at] = 1; /* session */
        r[at + 1] = 0x14;
        r[at + 3] = point[i];
        if (point[i] == 0xA0 || point[i] == 0xA1)
            r[at + 8] = 1;
        else
            atapi_put_msf(r + at + 8, point[i] == 1 ? 0 : atapi_sectors(drive), false);
    }
    put16(r, (uint32_t)at - 2);
    return at;
}

void atapi_read_toc(AtaCommand *command)
{
    const uint8_t *p = command->packet;
    uint8_t r[64] = { 0 };
    bool msf = p[1] & 2;
    /* Older programs put the format into the top of the last byte. */
    unsigned format = p[2] & 0xF ? p[2] & 0xF : p[9] >> 6;
    size_t length = 0;

    switch (format) {
    case 0: length = toc_tracks(command->drive, r, msf, p[6]); break;
    case 1: length = toc_sessions(r, msf); break;
    case 2: length = toc_full(command->drive, r); break;
    }
    if (length)
        atapi_reply(command, r, length, get16(p + 7));
    else
        atapi_fail(command, ATAPI_ILLEGAL_REQUEST, 0x24, 0x00);
}

void atapi_read_disc_information(AtaCommand *command)
{
    uint8_t r[34] = { 0, 32, 0x0E /* complete, last session complete */, 1, 1, 1, 1 };
    r[7] = 0x20; /* unrestricted use */
    put32(r + 16, 0xFFFFFFFF);
    put32(r + 20, 0xFFFFFFFF);
    atapi_reply(command, r, sizeof r, get16(command->packet + 7));
}

void atapi_read_track_information(AtaCommand *command)
{
    uint8_t r[28] = { 0, 26, 1, 1, 0, 0x04 /* data */, 0x01 /* mode 1 */ };
    put32(r + 24, atapi_sectors(command->drive));
    atapi_reply(command, r, sizeof r, get16(command->packet + 7));
}

void atapi_read_dvd_structure(AtaCommand *command)
{
    const uint8_t *p = command->packet;
    uint8_t r[4 + 2048] = { 0 };
    size_t length = 0;

    if (!is_dvd(command->drive)) {
        atapi_fail(command, ATAPI_ILLEGAL_REQUEST, 0x30, 0x02); /* incompatible format */
        return;
    }
    switch (p[7]) {
    case 0x00: /* physical format: DVD-ROM, 120 mm, one layer, data from 30000h on */
        r[4] = 0x01;
        r[5] = 0x0F;
        r[6] = 0x01;
        put32(r + 8, 0x30000);
        put32(r + 12, 0x30000 + atapi_sectors(command->drive) - 1);
        length = 4 + 2048;
        break;
    case 0x01: length = 4 + 4; break;    /* copyright: not protected */
    case 0x04: length = 4 + 2048; break; /* manufacturer: nothing */
    default: atapi_fail(command, ATAPI_ILLEGAL_REQUEST, 0x24, 0x00); return;
    }
    put16(r, (uint32_t)length - 2);
    atapi_reply(command, r, length, get16(p + 8));
}

/* --- the drive -------------------------------------------------------------------------------- */

typedef struct {
    uint8_t *bytes;
    size_t length;
    unsigned type, start; /* RT and starting feature of the request */
} Features;

/* MMC-6 §5.2: a feature descriptor, unless it was not asked for. */
static void add_feature(Features *f, unsigned code, uint8_t flags, bool is_current,
                        const uint8_t *data, uint8_t length)
{
    if (code < f->start || (f->type == 1 && !is_current) || (f->type == 2 && code != f->start))
        return;
    uint8_t *at = f->bytes + f->length;
    put16(at, code);
    at[2] = flags | is_current;
    at[3] = length;
    if (length)
        memcpy(at + 4, data, length);
    f->length += 4 + length;
}

void atapi_get_configuration(AtaCommand *command)
{
    const AtaDrive *drive = command->drive;
    uint8_t r[256] = { 0 };
    bool ready = atapi_is_ready(drive), dvd = ready && is_dvd(drive);
    Features f = { r, 8, command->packet[1] & 3, get16(command->packet + 2) };
    const uint8_t profiles[8] = { 0, PROFILE_DVD_ROM, dvd, 0, 0, PROFILE_CD_ROM, ready && !dvd, 0 };

    if (ready)
        put16(r + 6, dvd ? PROFILE_DVD_ROM : PROFILE_CD_ROM);
    add_feature(&f, 0x0000, 0x02, true, profiles, 8);
    add_feature(&f, 0x0001, 0x0A, true, (const uint8_t[8]){ 0, 0, 0, 7 /* SATA */, 1 }, 8);
    add_feature(&f, 0x0002, 0x06, true, (const uint8_t[4]){ 2 }, 4); /* morphing */
    add_feature(&f, 0x0003, 0x02, true, (const uint8_t[4]){ 0x39 },
                4); /* tray, lock, eject, load */
    add_feature(&f, 0x0010, 0x00, ready, (const uint8_t[8]){ 0, 0, 8, 0, 0, 16, 1 }, 8);
    add_feature(&f, 0x001E, 0x08, ready && !dvd, (const uint8_t[4]){ 0 }, 4); /* reads CD */
    add_feature(&f, 0x001F, 0x08, dvd, (const uint8_t[4]){ 1 }, 4);           /* reads DVD */
    add_feature(&f, 0x0100, 0x02, true, NULL, 0);                             /* power */
    put32(r, (uint32_t)f.length - 4);
    atapi_reply(command, r, f.length, get16(command->packet + 7));
}

void atapi_get_event_status(AtaCommand *command)
{
    AtaDrive *drive = command->drive;
    uint8_t r[8] = { 0, 0, 0x80 /* no such class */, 0x10 /* media, that is all there is */ };
    size_t length = 4;

    if (!(command->packet[1] & 1)) { /* only polling */
        atapi_fail(command, ATAPI_ILLEGAL_REQUEST, 0x24, 0x00);
        return;
    }
    if (command->packet[4] & 0x10) {
        r[2] = 4;
        r[4] = drive->media_event;
        r[5] = (uint8_t)(drive->tray_open | (drive->disk && !drive->tray_open) << 1);
        length = 8;
        if (get16(command->packet + 7) > 4)
            drive->media_event = ATAPI_EVENT_NONE;
    }
    put16(r, (uint32_t)length - 2);
    atapi_reply(command, r, length, get16(command->packet + 7));
}

void atapi_mechanism_status(AtaCommand *command)
{
    uint8_t r[8] = { 0, command->drive->tray_open ? 0x10 : 0, 0, 0, 0, 1 };
    atapi_reply(command, r, sizeof r, get16(command->packet + 8));
}
