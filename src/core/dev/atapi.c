/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A CD/DVD drive: the ATA face (PACKET and a few others) and the packet commands that read-only
 * media need. The small answers are in atapi-replies.c. */

#include "core/dev/atapi.h"
#include <errno.h>
#include <string.h>

static void atapi_reset(AtaDrive *drive)
{
    drive->sense_key = drive->asc = drive->ascq = 0;
    drive->locked = false;
    drive->media_event = ATAPI_EVENT_NONE;
    /* SPC-3 §4.5.6: a reset is news of its own. */
    drive->unit_attention = true;
    drive->unit_attention_asc = ATAPI_ASC_RESET;
}

bool atapi_is_ready(const AtaDrive *drive)
{
    return drive->disk && !drive->tray_open;
}

uint32_t atapi_sectors(const AtaDrive *drive)
{
    uint64_t n = drive->disk ? disk_size(drive->disk) / ATAPI_SECTOR : 0;
    return (uint32_t)MIN(n, UINT32_MAX);
}

void atapi_set_disk(AtaDrive *drive, Disk *disk)
{
    bool had = atapi_is_ready(drive);

    drive->disk = disk;
    drive->tray_open = false;
    drive->locked = false;
    if (disk) {
        drive->unit_attention = true;
        drive->unit_attention_asc = ATAPI_ASC_MEDIUM_CHANGED;
        drive->media_event = ATAPI_EVENT_NEW_MEDIA;
    } else if (had) {
        drive->unit_attention = true;
        drive->unit_attention_asc = ATAPI_ASC_MEDIUM_CHANGED;
        drive->media_event = ATAPI_EVENT_REMOVAL;
    }
}

/* --- ends of commands ------------------------------------------------------------------------- */

enum { REASON_COMMAND = 1, REASON_IN = 2 }; /* the count register of PACKET */

static void packet_succeed(AtaCommand *command)
{
    command->drive->sense_key = command->drive->asc = command->drive->ascq = 0;
    command->result_count = REASON_COMMAND | REASON_IN;
    command->result_lba = (command->lba & 0xFF) | (MIN(command->transferred, 0xFFFE) << 8);
    ata_succeed(command);
}

void atapi_fail(AtaCommand *command, uint8_t key, uint8_t asc, uint8_t ascq)
{
    AtaDrive *drive = command->drive;

    drive->sense_key = key;
    drive->asc = asc;
    drive->ascq = ascq;
    command->result_count = REASON_COMMAND | REASON_IN;
    ata_fail(command, (uint8_t)(key << 4) | ATA_ERROR_ABORT);
}

static void packet_fail_not_ready(AtaCommand *command)
{
    /* 3A/01 tray closed, 3A/02 tray open. */
    atapi_fail(command, ATAPI_NOT_READY, 0x3A, command->drive->tray_open ? 2 : 1);
}

void atapi_reply(AtaCommand *command, const uint8_t *bytes, size_t length, size_t allocation)
{
    const uint8_t *from = bytes;
    uint64_t mapped;

    length = MIN(length, allocation);
    if (length) {
        if (!command->host->map(command, length, true, &mapped)) {
            ata_fail(command, ATA_ERROR_ABORT);
            return;
        }
        for (unsigned i = 0; i < command->iov->len; i++) {
            const struct iovec *piece = &g_array_index(command->iov, struct iovec, i);
            memcpy(piece->iov_base, from, piece->iov_len);
            from += piece->iov_len;
        }
        command->transferred = mapped;
        command->protocol = command->feature & 1 ? ATA_DMA_IN : ATA_PIO_IN;
    }
    packet_succeed(command);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void on_packet_read_done(AtaCommand *command, int result)
{
    if (result == -EFAULT)
        ata_fail(command, ATA_ERROR_ABORT);
    else if (result)
        atapi_fail(command, ATAPI_MEDIUM_ERROR, 0x11, 0x00); /* unrecovered read error */
    else
        packet_succeed(command);
}

static bool packet_range_is_good(AtaCommand *command, uint32_t lba, uint32_t count)
{
    uint32_t sectors = atapi_sectors(command->drive);

    if (lba <= sectors && count <= sectors - lba)
        return true;
    atapi_fail(command, ATAPI_ILLEGAL_REQUEST, 0x21, 0x00); /* address out of range */
    return false;
}

static void packet_read(AtaCommand *command, uint32_t lba, uint32_t count)
{
    if (!packet_range_is_good(command, lba, count))
        return;
    command->protocol = command->feature & 1 ? ATA_DMA_IN : ATA_PIO_IN;
    if (!count)
        packet_succeed(command);
    else
        ata_transfer(command, true, lba * (uint64_t)ATAPI_SECTOR, count * (uint64_t)ATAPI_SECTOR,
                     on_packet_read_done);
}

/* Whole sectors with sync pattern and header, as for copying; the error correction codes are zero.
 */
static void on_raw_read_done(AtaCommand *command, int result)
{
    uint32_t lba = (uint32_t)command->offset, count = (uint32_t)command->length;

    if (result) {
        on_packet_read_done(command, result);
        return;
    }
    g_autofree uint8_t *raw = g_malloc0(count * (size_t)ATAPI_RAW_SECTOR);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *sector = raw + i * (size_t)ATAPI_RAW_SECTOR;
        memset(sector + 1, 0xFF, 10);
        atapi_put_msf(sector + 12, lba + i, true);
        sector[15] = 1; /* mode 1 */
        memcpy(sector + 16, command->scratch + i * (size_t)ATAPI_SECTOR, ATAPI_SECTOR);
    }
    atapi_reply(command, raw, count * (size_t)ATAPI_RAW_SECTOR, SIZE_MAX);
}

static void packet_read_raw(AtaCommand *command, uint32_t lba, uint32_t count)
{
    if (!packet_range_is_good(command, lba, count))
        return;
    if (count > ATAPI_MAX_RAW_SECTORS) {
        atapi_fail(command, ATAPI_ILLEGAL_REQUEST, 0x24, 0x00);
        return;
    }
    size_t length = count * (size_t)ATAPI_SECTOR;
    command->offset = lba;
    command->length = count;
    command->scratch = g_malloc(MAX(length, 1));
    command->scratch_iov = (struct iovec){ .iov_base = command->scratch, .iov_len = length };
    ata_submit(command, DISK_READ, lba * (uint64_t)ATAPI_SECTOR, length, &command->scratch_iov, 1,
               on_raw_read_done);
}

/* MMC-6 §6.21: which parts of a sector. */
static void packet_read_cd(AtaCommand *command)
{
    const uint8_t *p = command->packet;
    uint32_t lba = atapi_get32(p + 2), count = p[6] << 16 | p[7] << 8 | p[8];

    switch (p[9] & 0xF8) {
    case 0x00: packet_succeed(command); return;
    case 0x10: packet_read(command, lba, count); return;
    case 0xF8:
    case 0xB8: packet_read_raw(command, lba, count); return;
    }
    atapi_fail(command, ATAPI_ILLEGAL_REQUEST, 0x24, 0x00);
}

/* --- tray ------------------------------------------------------------------------------------- */

static void packet_start_stop(AtaCommand *command)
{
    AtaDrive *drive = command->drive;
    bool load_eject = command->packet[4] & 2, start = command->packet[4] & 1;

    if (command->packet[4] & 0xF0 || !load_eject) { /* power conditions, spinning up or down */
        packet_succeed(command);
        return;
    }
    if (!start && drive->locked) {
        /* Removal prevented; with a disc inside it is "illegal request". */
        atapi_fail(command, drive->disk ? ATAPI_ILLEGAL_REQUEST : ATAPI_NOT_READY, 0x53, 0x02);
        return;
    }
    if (start && drive->tray_open && drive->disk) {
        drive->media_event = ATAPI_EVENT_NEW_MEDIA;
        drive->unit_attention = true;
        drive->unit_attention_asc = ATAPI_ASC_MEDIUM_CHANGED;
    } else if (!start && !drive->tray_open && drive->disk) {
        drive->media_event = ATAPI_EVENT_REMOVAL;
    }
    bool moved = drive->tray_open == start;
    drive->tray_open = !start;
    packet_succeed(command);
    if (moved && drive->on_tray)
        drive->on_tray(drive->on_tray_opaque);
}

static void packet_prevent_removal(AtaCommand *command)
{
    command->drive->locked = command->packet[4] & 1;
    packet_succeed(command);
}

/* --- dispatch --------------------------------------------------------------------------------- */

static void packet_request_sense(AtaCommand *command)
{
    AtaDrive *drive = command->drive;
    uint8_t sense[18] = { 0x70, [7] = 10 };

    if (drive->unit_attention && !drive->sense_key) {
        drive->sense_key = ATAPI_UNIT_ATTENTION;
        drive->asc = drive->unit_attention_asc;
        drive->ascq = 0;
        drive->unit_attention = false;
    }
    sense[2] = drive->sense_key;
    sense[12] = drive->asc;
    sense[13] = drive->ascq;
    atapi_reply(command, sense, sizeof sense, command->packet[4]);
}

enum { NEEDS_MEDIUM = 1, IN_ATTENTION = 2 /* answers although there is news to tell */ };

typedef struct {
    uint8_t code, flags;
    void (*run)(AtaCommand *command);
} PacketCommand;

static void packet_read_10(AtaCommand *command)
{
    packet_read(command, atapi_get32(command->packet + 2),
                command->packet[7] << 8 | command->packet[8]);
}

static void packet_read_12(AtaCommand *command)
{
    packet_read(command, atapi_get32(command->packet + 2), atapi_get32(command->packet + 6));
}

static void packet_seek(AtaCommand *command)
{
    if (packet_range_is_good(command, atapi_get32(command->packet + 2), 0))
        packet_succeed(command);
}

static const PacketCommand packet_commands[] = {
    { 0x00, NEEDS_MEDIUM, packet_succeed }, /* TEST UNIT READY */
    { 0x03, IN_ATTENTION, packet_request_sense },
    { 0x12, IN_ATTENTION, atapi_inquiry },
    { 0x1A, 0, atapi_mode_sense_6 },
    { 0x1B, 0, packet_start_stop },
    { 0x1E, 0, packet_prevent_removal },
    { 0x25, NEEDS_MEDIUM, atapi_read_capacity },
    { 0x28, NEEDS_MEDIUM, packet_read_10 },
    { 0x2B, NEEDS_MEDIUM, packet_seek },
    { 0x2F, NEEDS_MEDIUM, packet_succeed }, /* VERIFY(10) */
    { 0x35, NEEDS_MEDIUM, packet_succeed }, /* SYNCHRONIZE CACHE */
    { 0x42, NEEDS_MEDIUM, atapi_read_subchannel },
    { 0x43, NEEDS_MEDIUM, atapi_read_toc },
    { 0x46, IN_ATTENTION, atapi_get_configuration },
    { 0x4A, IN_ATTENTION, atapi_get_event_status },
    { 0x51, NEEDS_MEDIUM, atapi_read_disc_information },
    { 0x52, NEEDS_MEDIUM, atapi_read_track_information },
    { 0x55, 0, packet_succeed }, /* MODE SELECT(10): nothing here can be changed */
    { 0x5A, 0, atapi_mode_sense_10 },
    { 0xA8, NEEDS_MEDIUM, packet_read_12 },
    { 0xAD, NEEDS_MEDIUM, atapi_read_dvd_structure },
    { 0xBB, 0, packet_succeed }, /* SET CD SPEED */
    { 0xBD, 0, atapi_mechanism_status },
    { 0xBE, NEEDS_MEDIUM, packet_read_cd },
};

static void atapi_packet(AtaDrive *drive, AtaCommand *command)
{
    const PacketCommand *known = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(packet_commands) && !known; i++) {
        if (packet_commands[i].code == command->packet[0])
            known = &packet_commands[i];
    }
    if (drive->unit_attention && !(known && known->flags & IN_ATTENTION)) {
        drive->unit_attention = false;
        atapi_fail(command, ATAPI_UNIT_ATTENTION, drive->unit_attention_asc, 0x00);
    } else if (!known) {
        atapi_fail(command, ATAPI_ILLEGAL_REQUEST, 0x20, 0x00); /* invalid operation code */
    } else if (known->flags & NEEDS_MEDIUM && !atapi_is_ready(drive)) {
        packet_fail_not_ready(command);
    } else {
        known->run(command);
    }
}

static void atapi_abort_with_signature(AtaCommand *command)
{
    command->result_lba = 0xEB1401;
    command->result_count = 1;
    ata_fail(command, ATA_ERROR_ABORT);
}

static void atapi_start(AtaDrive *drive, AtaCommand *command)
{
    uint16_t words[256];

    switch (command->command) {
    case ATA_CMD_PACKET: atapi_packet(drive, command); return;
    case 0xA1:
        atapi_identify(drive, words);
        ata_reply(command, ATA_PIO_IN, words, sizeof words);
        return;
    case 0xEC: atapi_abort_with_signature(command); return;
    case 0x08: /* DEVICE RESET */
    case 0x90: /* EXECUTE DEVICE DIAGNOSTIC */
        atapi_reset(drive);
        command->result_lba = 0xEB1401;
        command->result_count = 1;
        command->error = 1;
        ata_succeed(command);
        return;
    case 0xEF:
        if (!ata_set_features(drive, command->feature & 0xFF, command->count & 0xFF))
            break;
        ata_succeed(command);
        return;
    case 0xE5:
    case 0x98:
        command->result_count = 0xFF;
        ata_succeed(command);
        return;
    case 0xE0:
    case 0xE1:
    case 0xE2:
    case 0xE3:
    case 0xE6:
    case 0xE7: ata_succeed(command); return;
    }
    ata_fail(command, ATA_ERROR_ABORT);
}

const AtaDriveOps atapi_ops = { .start = atapi_start, .reset = atapi_reset };
