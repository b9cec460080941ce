/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A SATA hard disk: ACS-3 with 48-bit addresses, native command queuing, SMART that says "good",
 * and TRIM. */

#include "core/dev/ata.h"
#include <errno.h>
#include <string.h>

#define ATA_MAX_MULTIPLE 16
#define ATA_MAX_LBA28 0x0FFFFFFFu
#define ATA_NO_NCQ_ERROR 0x80 /* log 10h: "not queued" */
#define ATA_TRIM_BLOCKS 8     /* of 64 ranges, in one DATA SET MANAGEMENT */

static uint64_t disk_sectors(const AtaDrive *drive)
{
    return drive->disk ? disk_size(drive->disk) / ATA_SECTOR : 0;
}

static void disk_reset(AtaDrive *drive)
{
    drive->multiple = ATA_MAX_MULTIPLE;
    drive->write_cache = true;
    drive->look_ahead = true;
    drive->smart = true;
    drive->standby = false;
    drive->ncq_error_tag = ATA_NO_NCQ_ERROR;
    drive->ncq_error = drive->ncq_error_status = 0;
    drive->ncq_error_lba = 0;
}

/* --- identify --------------------------------------------------------------------------------- */

static void identify_geometry(uint16_t *w, uint64_t sectors)
{
    uint64_t cylinders = MIN(sectors / (16 * 63), 16383);
    uint32_t chs = (uint32_t)cylinders * 16 * 63;
    uint32_t lba28 = (uint32_t)MIN(sectors, ATA_MAX_LBA28);

    w[1] = w[54] = (uint16_t)cylinders;
    w[3] = w[55] = 16;
    w[6] = w[56] = 63;
    w[57] = (uint16_t)chs;
    w[58] = (uint16_t)(chs >> 16);
    w[60] = (uint16_t)lba28;
    w[61] = (uint16_t)(lba28 >> 16);
    for (unsigned i = 0; i < 4; i++)
        w[100 + i] = (uint16_t)(sectors >> 16 * i);
}

/* A name for the disk that stays: made from its serial number, in the space of locally made ones.
 */
static void identify_world_wide_name(uint16_t *w, const char *serial)
{
    uint32_t hash = g_str_hash(serial);

    w[108] = 0x5000; /* NAA 5 */
    w[109] = 0xC500;
    w[110] = (uint16_t)(hash >> 16);
    w[111] = (uint16_t)hash;
}

/* ACS-3 §7.12. */
static void disk_identify(const AtaDrive *drive, uint16_t w[256])
{
    memset(w, 0, 512);
    w[0] = 0x0040;
    identify_geometry(w, disk_sectors(drive));
    ata_put_string(w + 10, drive->serial, 10);
    ata_put_string(w + 23, "1.0", 4);
    ata_put_string(w + 27, "VITRINE HARDDISK", 20);
    w[47] = 0x8000 | ATA_MAX_MULTIPLE;
    w[49] = 0x0F00; /* DMA, LBA, IORDY */
    w[50] = 0x4000;
    w[53] = 0x0007;
    w[59] = drive->multiple ? 0x0100 | drive->multiple : 0;
    w[63] = 0x0007; /* multi-word DMA 0-2 */
    w[64] = 0x0003; /* PIO 3 and 4 */
    w[65] = w[66] = w[67] = w[68] = 120;
    w[75] = 31;     /* queue depth - 1 */
    w[76] = 0x0106; /* NCQ; 1.5 and 3 Gb/s */
    w[80] = 0x03F0; /* ATA/ATAPI-4 to ACS-3 */
    w[82] = 0x4061; /* NOP, look-ahead, write cache, SMART */
    w[83] = 0x7400; /* FLUSH CACHE (EXT), 48 bits */
    w[84] = 0x4160; /* WWN, FUA, general purpose logging */
    w[85] = (uint16_t)(0x4000 | drive->look_ahead << 6 | drive->write_cache << 5 | drive->smart);
    w[86] = 0x3400;
    w[87] = 0x4160;
    w[88] = 0x203F; /* ultra DMA 0-5, 5 selected */
    w[105] = ATA_TRIM_BLOCKS;
    w[106] = 0x4000;
    identify_world_wide_name(w, drive->serial);
    w[169] = 0x0001; /* TRIM */
    w[217] = 0x0001; /* does not rotate */
    w[222] = 0x101F; /* SATA 2.6 */
    ata_finish_identify(w);
}

/* --- read and write --------------------------------------------------------------------------- */

static void on_read_done(AtaCommand *command, int result)
{
    if (result)
        ata_fail(command, result == -EFAULT ? ATA_ERROR_ABORT : ATA_ERROR_UNCORRECTABLE);
    else
        ata_succeed(command);
}

static void on_plain_done(AtaCommand *command, int result)
{
    if (result)
        ata_fail(command, ATA_ERROR_ABORT);
    else
        ata_succeed(command);
}

static void on_write_done(AtaCommand *command, int result)
{
    /* Without a write cache, done means on the platter. */
    if (result == 0 && (command->step || !command->drive->write_cache))
        ata_submit(command, DISK_FLUSH, 0, 0, NULL, 0, on_plain_done);
    else
        on_plain_done(command, result);
}

static void disk_move(AtaDrive *drive, AtaCommand *command, AtaProtocol protocol, uint64_t lba,
                      uint64_t count, bool is_fua)
{
    uint64_t sectors = disk_sectors(drive);
    bool is_read = protocol == ATA_PIO_IN || protocol == ATA_DMA_IN;

    command->protocol = protocol;
    if (lba >= sectors || count > sectors - lba) {
        ata_fail(command, ATA_ERROR_ID_NOT_FOUND);
        return;
    }
    command->step = is_fua;
    ata_transfer(command, is_read, lba * ATA_SECTOR, count * ATA_SECTOR,
                 is_read ? on_read_done : on_write_done);
}

/* 28-bit commands keep the top of the address in the device register, and 0 sectors means 256. */
static uint64_t lba28(const AtaCommand *command)
{
    return (command->lba & 0xFFFFFF) | (uint64_t)(command->device & 0xF) << 24;
}

static bool lba28_is_addressed(AtaCommand *command)
{
    if (command->device & 0x40)
        return true;
    ata_fail(command, ATA_ERROR_ID_NOT_FOUND); /* cylinders and heads: gone since ATA-6 */
    return false;
}

static void disk_move28(AtaDrive *drive, AtaCommand *command, AtaProtocol protocol)
{
    uint64_t count = command->count & 0xFF ? command->count & 0xFF : 256;

    if (lba28_is_addressed(command))
        disk_move(drive, command, protocol, lba28(command), count, false);
}

static void disk_move48(AtaDrive *drive, AtaCommand *command, AtaProtocol protocol, bool is_fua)
{
    disk_move(drive, command, protocol, command->lba, command->count ? command->count : 0x10000,
              is_fua);
}

/* ACS-3 §7.23: the count is in the feature field, the tag in the count field. */
static void disk_move_queued(AtaDrive *drive, AtaCommand *command, AtaProtocol protocol)
{
    command->is_queued = true;
    disk_move(drive, command, protocol, command->lba, command->feature ? command->feature : 0x10000,
              command->device & 0x80);
}

static void disk_verify(AtaDrive *drive, AtaCommand *command, uint64_t lba, uint64_t count)
{
    uint64_t sectors = disk_sectors(drive);

    if (lba >= sectors || count > sectors - lba)
        ata_fail(command, ATA_ERROR_ID_NOT_FOUND);
    else
        ata_succeed(command);
}

static void disk_flush_cache(AtaDrive *drive, AtaCommand *command)
{
    ata_submit(command, DISK_FLUSH, 0, 0, NULL, 0, on_plain_done);
}

/* --- data set management ---------------------------------------------------------------------- */

/* Ranges of 48 bits LBA and 16 bits count, one after the other; advice, so errors are not told. */
static void trim_next(AtaCommand *command, int result)
{
    uint64_t sectors = disk_sectors(command->drive);

    while ((command->step + 1) * UINT64_C(8) <= command->length) {
        uint64_t range;
        memcpy(&range, command->scratch + command->step++ * 8, sizeof range);
        range = GUINT64_FROM_LE(range);
        uint64_t lba = range & 0xFFFFFFFFFFFF, count = range >> 48;
        if (!count)
            continue;
        if (lba >= sectors || count > sectors - lba) {
            ata_fail(command, ATA_ERROR_ID_NOT_FOUND);
            return;
        }
        ata_submit(command, DISK_DISCARD, lba * ATA_SECTOR, count * ATA_SECTOR, NULL, 0, trim_next);
        return;
    }
    ata_succeed(command);
}

static void disk_manage_data_set(AtaDrive *drive, AtaCommand *command)
{
    uint64_t length = command->count * UINT64_C(512), mapped;

    command->protocol = ATA_DMA_OUT;
    if (!(command->feature & 1) || !length || command->count > ATA_TRIM_BLOCKS) {
        ata_fail(command, ATA_ERROR_ABORT);
        return;
    }
    if (!command->host->map(command, length, false, &mapped)) {
        ata_fail(command, ATA_ERROR_ABORT);
        return;
    }
    command->scratch = g_malloc0(length);
    command->length = command->transferred = mapped;
    uint8_t *to = command->scratch;
    for (unsigned i = 0; i < command->iov->len; i++) {
        const struct iovec *piece = &g_array_index(command->iov, struct iovec, i);
        memcpy(to, piece->iov_base, piece->iov_len);
        to += piece->iov_len;
    }
    trim_next(command, 0);
}

/* --- SMART and logs --------------------------------------------------------------------------- */

static void log_checksum(uint8_t page[512])
{
    uint8_t sum = 0;
    for (unsigned i = 0; i < 511; i++)
        sum += page[i];
    page[511] = (uint8_t)-sum;
}

/* What a healthy disk reports: the few attributes that tools look for, all far from failure. */
static void smart_fill(uint8_t page[512], bool is_thresholds)
{
    static const uint8_t attribute[][3] = { /* id, flags, threshold */
                                            { 1, 0x03, 6 },
                                            { 5, 0x03, 36 },
                                            { 9, 0x03, 0 },
                                            { 12, 0x03, 20 },
                                            { 190, 0x03, 50 }
    };
    memset(page, 0, 512);
    page[0] = 1;
    for (unsigned i = 0; i < G_N_ELEMENTS(attribute); i++) {
        uint8_t *at = page + 2 + i * 12;
        at[0] = attribute[i][0];
        if (is_thresholds) {
            at[1] = attribute[i][2];
            continue;
        }
        at[1] = attribute[i][1];
        at[3] = at[4] = 100;
    }
    if (!is_thresholds) {
        page[362] = 0; /* off-line collection never started */
        page[368] = 3; /* saves across power modes, autosave */
        page[370] = 1; /* error logging */
    }
    log_checksum(page);
}

static void disk_smart(AtaDrive *drive, AtaCommand *command)
{
    uint8_t page[512];

    if ((command->lba >> 8 & 0xFFFF) != 0xC24F ||
        (!drive->smart && (command->feature & 0xFF) != 0xD8)) {
        ata_fail(command, ATA_ERROR_ABORT);
        return;
    }
    switch (command->feature & 0xFF) {
    case 0xD0: /* READ DATA */
    case 0xD1: /* READ THRESHOLDS */
        smart_fill(page, (command->feature & 0xFF) == 0xD1);
        ata_reply(command, ATA_PIO_IN, page, sizeof page);
        return;
    case 0xD5: /* READ LOG */
        memset(page, 0, sizeof page);
        page[0] = 1;
        if ((command->lba & 0xFF) != 0)
            log_checksum(page);
        ata_reply(command, ATA_PIO_IN, page, sizeof page);
        return;
    case 0xD2: /* ATTRIBUTE AUTOSAVE */
    case 0xD4: /* EXECUTE OFF-LINE */
    case 0xDA: /* RETURN STATUS: the signature unchanged means good */ ata_succeed(command); return;
    case 0xD8:
    case 0xD9:
        drive->smart = (command->feature & 0xFF) == 0xD8;
        ata_succeed(command);
        return;
    }
    ata_fail(command, ATA_ERROR_ABORT);
}

/* ACS-3 §9.3 (directory) and §9.14 (queued errors); reading the latter makes the queue usable. */
static void disk_read_log(AtaDrive *drive, AtaCommand *command, AtaProtocol protocol)
{
    uint8_t page[512] = { 0 }, log = command->lba & 0xFF;
    uint16_t number = (command->lba >> 8 & 0xFF) | (command->lba >> 32 & 0xFF00);

    if (command->count != 1 || number) {
        ata_fail(command, ATA_ERROR_ABORT);
        return;
    }
    switch (log) {
    case 0x00:
        page[0] = 1;        /* version */
        page[0x10 * 2] = 1; /* one page of log 10h */
        page[0x30 * 2] = 1;
        break;
    case 0x10:
        page[0] = drive->ncq_error_tag;
        page[2] = drive->ncq_error_status;
        page[3] = drive->ncq_error;
        for (unsigned i = 0; i < 3; i++) {
            page[4 + i] = (uint8_t)(drive->ncq_error_lba >> 8 * i);
            page[8 + i] = (uint8_t)(drive->ncq_error_lba >> (24 + 8 * i));
        }
        page[7] = 0x40;
        log_checksum(page);
        drive->ncq_error_tag = ATA_NO_NCQ_ERROR;
        break;
    case 0x30: /* identify device data: the list of pages */ page[8] = 1; break;
    default: ata_fail(command, ATA_ERROR_ABORT); return;
    }
    ata_reply(command, protocol, page, sizeof page);
}

/* --- the rest --------------------------------------------------------------------------------- */

static void disk_set_multiple(AtaDrive *drive, AtaCommand *command)
{
    uint8_t n = command->count & 0xFF;

    if (n > ATA_MAX_MULTIPLE || (n & (n - 1))) {
        ata_fail(command, ATA_ERROR_ABORT);
        return;
    }
    drive->multiple = n;
    ata_succeed(command);
}

static void disk_read_native_max(AtaDrive *drive, AtaCommand *command, bool is_48)
{
    uint64_t last = disk_sectors(drive) - 1;

    if (is_48) {
        command->result_lba = last;
    } else {
        last = MIN(last, ATA_MAX_LBA28);
        command->result_lba = last & 0xFFFFFF;
        command->device = (uint8_t)((command->device & 0xF0) | last >> 24);
    }
    ata_succeed(command);
}

static void disk_set_power(AtaDrive *drive, AtaCommand *command, bool standby)
{
    drive->standby = standby;
    ata_succeed(command);
}

static void disk_check_power(AtaDrive *drive, AtaCommand *command)
{
    command->result_count = drive->standby ? 0x00 : 0xFF;
    ata_succeed(command);
}

static void disk_diagnose(AtaDrive *drive, AtaCommand *command)
{
    disk_reset(drive);
    command->error = 1; /* passed */
    command->result_count = 1;
    command->result_lba = 1;
    ata_succeed(command);
}

static void disk_send_identify(AtaDrive *drive, AtaCommand *command, AtaProtocol protocol)
{
    uint16_t words[256];
    disk_identify(drive, words);
    ata_reply(command, protocol, words, sizeof words);
}

static void disk_start(AtaDrive *drive, AtaCommand *command)
{
    switch (command->command) {
    case 0xEC: disk_send_identify(drive, command, ATA_PIO_IN); return;
    case ATA_CMD_READ_FPDMA: disk_move_queued(drive, command, ATA_DMA_IN); return;
    case ATA_CMD_WRITE_FPDMA: disk_move_queued(drive, command, ATA_DMA_OUT); return;
    case 0x25: disk_move48(drive, command, ATA_DMA_IN, false); return;
    case 0x35: disk_move48(drive, command, ATA_DMA_OUT, false); return;
    case 0x3D: disk_move48(drive, command, ATA_DMA_OUT, true); return;
    case 0x24: disk_move48(drive, command, ATA_PIO_IN, false); return;
    case 0x34: disk_move48(drive, command, ATA_PIO_OUT, false); return;
    case 0x29:
    case 0x39:
    case 0xCE:
        if (!drive->multiple)
            break;
        disk_move48(drive, command, command->command == 0x29 ? ATA_PIO_IN : ATA_PIO_OUT,
                    command->command == 0xCE);
        return;
    case 0xC8:
    case 0xC9: disk_move28(drive, command, ATA_DMA_IN); return;
    case 0xCA:
    case 0xCB: disk_move28(drive, command, ATA_DMA_OUT); return;
    case 0x20:
    case 0x21: disk_move28(drive, command, ATA_PIO_IN); return;
    case 0x30:
    case 0x31: disk_move28(drive, command, ATA_PIO_OUT); return;
    case 0xC4:
    case 0xC5:
        if (!drive->multiple)
            break;
        disk_move28(drive, command, command->command == 0xC4 ? ATA_PIO_IN : ATA_PIO_OUT);
        return;
    case 0x40:
    case 0x41:
        if (lba28_is_addressed(command))
            disk_verify(drive, command, lba28(command),
                        command->count & 0xFF ? command->count & 0xFF : 256);
        return;
    case 0x42:
        disk_verify(drive, command, command->lba, command->count ? command->count : 0x10000);
        return;
    case 0x06: disk_manage_data_set(drive, command); return;
    case 0xE7:
    case 0xEA: disk_flush_cache(drive, command); return;
    case 0xC6: disk_set_multiple(drive, command); return;
    case 0xEF:
        if (!ata_set_features(drive, command->feature & 0xFF, command->count & 0xFF))
            break;
        ata_succeed(command);
        return;
    case 0xF8: disk_read_native_max(drive, command, false); return;
    case 0x27: disk_read_native_max(drive, command, true); return;
    case 0xB0: disk_smart(drive, command); return;
    case 0x2F: disk_read_log(drive, command, ATA_PIO_IN); return;
    case 0x47: disk_read_log(drive, command, ATA_DMA_IN); return;
    case 0xE0:
    case 0xE2:
    case 0x94:
    case 0x96:
    case 0xE6:
    case 0x99: disk_set_power(drive, command, true); return;
    case 0xE1:
    case 0xE3:
    case 0x95:
    case 0x97: disk_set_power(drive, command, false); return;
    case 0xE5:
    case 0x98: disk_check_power(drive, command); return;
    case 0x90: disk_diagnose(drive, command); return;
    case 0x70: /* SEEK */
    case 0x10: /* RECALIBRATE */
    case 0x91: /* INITIALIZE DEVICE PARAMETERS */ ata_succeed(command); return;
    }
    ata_fail(command, ATA_ERROR_ABORT);
}

const AtaDriveOps ata_disk_ops = { .start = disk_start, .reset = disk_reset };
