/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What disks and CD drives have in common: the life of a command, and its way through the disk's
 * workers. */

#include "core/dev/ata.h"
#include <errno.h>
#include <string.h>

/* A write under way may be parked by a full host disk: looked at again after this time. */
#define ATA_ABORT_LOOK_US (G_USEC_PER_SEC / 100)

/* How long I/O takes a guest with a deterministic clock, besides 2 ns a byte. */
#define ATA_TIMED_NS 50000

const StateField ata_drive_state[] = {
    STATE_UINT(AtaDrive, multiple),
    STATE_BOOL(AtaDrive, write_cache),
    STATE_BOOL(AtaDrive, look_ahead),
    STATE_BOOL(AtaDrive, smart),
    STATE_BOOL(AtaDrive, standby),
    STATE_UINT(AtaDrive, ncq_error_tag),
    STATE_UINT(AtaDrive, ncq_error),
    STATE_UINT(AtaDrive, ncq_error_status),
    STATE_UINT(AtaDrive, ncq_error_lba),
    STATE_UINT(AtaDrive, sense_key),
    STATE_UINT(AtaDrive, asc),
    STATE_UINT(AtaDrive, ascq),
    STATE_BOOL(AtaDrive, unit_attention),
    STATE_BOOL(AtaDrive, tray_open),
    STATE_BOOL(AtaDrive, locked),
    STATE_UINT(AtaDrive, unit_attention_asc),
    STATE_UINT(AtaDrive, media_event),
    STATE_END,
};

void ata_drive_init(AtaDrive *drive, const AtaDriveOps *ops, Device *dev, Disk *disk,
                    const char *serial)
{
    *drive = (AtaDrive){ .ops = ops, .dev = dev, .disk = disk, .is_packet = ops == &atapi_ops };
    g_strlcpy(drive->serial, serial ? serial : "", sizeof drive->serial);
    g_mutex_init(&drive->io_lock);
    g_cond_init(&drive->io_cond);
    ata_drive_reset(drive);
}

void ata_drive_clear(AtaDrive *drive)
{
    if (!drive->ops)
        return;
    g_mutex_clear(&drive->io_lock);
    g_cond_clear(&drive->io_cond);
    drive->ops = NULL;
}

void ata_drive_reset(AtaDrive *drive)
{
    if (drive->ops)
        drive->ops->reset(drive);
}

uint32_t ata_drive_signature(const AtaDrive *drive)
{
    return drive->is_packet ? ATA_SIGNATURE_PACKET : ATA_SIGNATURE_DISK;
}

/* --- the life of a command -------------------------------------------------------------------- */

static void ata_command_free(AtaCommand *command)
{
    if (command->host->release)
        command->host->release(command);
    if (command->iov)
        g_array_unref(command->iov);
    g_free(command->scratch);
    g_free(command);
}

void ata_start(AtaCommand *command)
{
    command->status = ATA_DRDY | ATA_DSC;
    command->error = 0;
    command->result_count = command->count;
    command->result_lba = command->lba;
    command->drive->ops->start(command->drive, command);
}

static void ata_end(AtaCommand *command)
{
    command->host->complete(command);
    ata_command_free(command);
}

void ata_succeed(AtaCommand *command)
{
    ata_end(command);
}

void ata_fail(AtaCommand *command, uint8_t error)
{
    command->status = ATA_DRDY | ATA_DSC | ATA_ERR;
    command->error = error;
    if (command->is_queued) { /* for log 10h */
        command->drive->ncq_error_tag = (uint8_t)command->tag;
        command->drive->ncq_error = error;
        command->drive->ncq_error_status = command->status;
        command->drive->ncq_error_lba = command->lba;
    }
    ata_end(command);
}

/* Nothing may touch the guest's memory once the guest believes it is its own again. What no worker
 * has begun is taken back; what runs is waited for, which does not take the board's lock. */
void ata_abort(AtaCommand *command)
{
    AtaDrive *drive = command->drive;
    bool is_back = false;

    if (command->is_in_flight && drive->clock && !command->is_late) {
        clock_timer_cancel(&command->io_timer);
        command->is_in_flight = false;
        drive->n_in_flight--;
    }
    if (!command->is_in_flight) {
        ata_command_free(command);
        return;
    }
    g_mutex_lock(&drive->io_lock);
    while (!command->io_done && !(is_back = disk_cancel(command->disk, &command->request)))
        g_cond_wait_until(&drive->io_cond, &drive->io_lock,
                          g_get_monotonic_time() + ATA_ABORT_LOOK_US);
    g_mutex_unlock(&drive->io_lock);
    if (is_back) {
        drive->n_in_flight--;
        ata_command_free(command);
    } else {
        command->is_orphan = true; /* ata_on_disk_done(), waiting for the board's lock, frees it */
    }
}

/* --- disk I/O --------------------------------------------------------------------------------- */

/* On a disk's worker, no lock held. First says that the guest's memory is free again, for a reset
 * that holds the board's lock and waits for it; only then asks for that lock. */
static void ata_on_disk_done(DiskRequest *request, int result)
{
    AtaCommand *command = request->opaque;
    AtaDrive *drive = command->drive;
    Device *dev = drive->dev;

    g_mutex_lock(&drive->io_lock);
    command->io_done = true;
    g_cond_broadcast(&drive->io_cond);
    g_mutex_unlock(&drive->io_lock);

    device_enter(dev);
    command->is_in_flight = false;
    drive->n_in_flight--;
    if (command->is_orphan)
        ata_command_free(command);
    else
        command->next(command, result);
    device_leave(dev);
}

/* With a deterministic clock the host's speed must not show: the guest waits for the disk here, and
 * hears of it after a time that depends on the length only. */

static void ata_start_io_timer(AtaCommand *command);

static void ata_on_timed_disk_done(DiskRequest *request, int result)
{
    AtaCommand *command = request->opaque;
    AtaDrive *drive = command->drive;
    Device *dev = drive->dev;

    g_mutex_lock(&drive->io_lock);
    bool is_late = command->is_late;
    command->io_result = result;
    command->io_done = true;
    g_cond_broadcast(&drive->io_cond);
    g_mutex_unlock(&drive->io_lock);
    if (!is_late)
        return;
    device_enter(dev);
    command->is_late = false;
    if (command->is_orphan) {
        drive->n_in_flight--;
        ata_command_free(command);
    } else {
        ata_start_io_timer(command);
    }
    device_leave(dev);
}

static void ata_on_io_timer(void *opaque)
{
    AtaCommand *command = opaque;

    command->is_in_flight = false;
    command->drive->n_in_flight--;
    command->next(command, command->io_result);
}

static void ata_start_io_timer(AtaCommand *command)
{
    Clock *clock = command->drive->clock;

    clock_timer_init(&command->io_timer, clock, ata_on_io_timer, command);
    clock_timer_set(&command->io_timer,
                    clock_now_ns(clock) + ATA_TIMED_NS + command->request.length * 2);
}

static void ata_submit_timed(AtaCommand *command)
{
    AtaDrive *drive = command->drive;

    command->request.done = ata_on_timed_disk_done;
    command->is_late = false;
    disk_submit(command->disk, &command->request);
    g_mutex_lock(&drive->io_lock);
    while (!command->io_done && !command->is_late) {
        g_cond_wait_until(&drive->io_cond, &drive->io_lock,
                          g_get_monotonic_time() + ATA_ABORT_LOOK_US);
        /* A full host disk: the machine is about to be paused, which needs the board's lock. */
        command->is_late = !command->io_done && disk_is_stuck(command->disk);
    }
    bool is_done = command->io_done;
    g_mutex_unlock(&drive->io_lock);
    if (is_done)
        ata_start_io_timer(command);
}

void ata_submit(AtaCommand *command, DiskOperation operation, uint64_t offset, uint64_t length,
                struct iovec *iov, unsigned n_iov, void (*next)(AtaCommand *command, int result))
{
    AtaDrive *drive = command->drive;

    command->next = next;
    if (!drive->disk) {
        next(command, -ENXIO);
        return;
    }
    command->request = (DiskRequest){ .operation = operation,
                                      .offset = offset,
                                      .length = length,
                                      .iov = iov,
                                      .n_iov = n_iov,
                                      .done = ata_on_disk_done,
                                      .opaque = command };
    command->disk = drive->disk;
    command->io_done = false;
    command->is_in_flight = true;
    drive->n_in_flight++;
    if (drive->clock)
        ata_submit_timed(command);
    else
        disk_submit(command->disk, &command->request);
}

void ata_transfer(AtaCommand *command, bool to_memory, uint64_t offset, uint64_t length,
                  void (*next)(AtaCommand *command, int result))
{
    uint64_t mapped;

    if (!command->host->map(command, length, to_memory, &mapped)) {
        command->next = next;
        next(command, -EFAULT);
        return;
    }
    command->transferred = mapped;
    if (!mapped) {
        next(command, 0);
        return;
    }
    ata_submit(command, to_memory ? DISK_READ : DISK_WRITE, offset, mapped,
               (struct iovec *)command->iov->data, command->iov->len, next);
}

void ata_reply(AtaCommand *command, AtaProtocol protocol, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    uint64_t mapped;

    command->protocol = protocol;
    if (length && !command->host->map(command, length, true, &mapped)) {
        ata_fail(command, ATA_ERROR_ABORT);
        return;
    }
    if (length) {
        for (unsigned i = 0; i < command->iov->len; i++) {
            const struct iovec *piece = &g_array_index(command->iov, struct iovec, i);
            memcpy(piece->iov_base, from, piece->iov_len);
            from += piece->iov_len;
        }
        command->transferred = mapped;
    }
    ata_succeed(command);
}

/* --- shared answers --------------------------------------------------------------------------- */

void ata_put_string(uint16_t *words, const char *text, unsigned n_words)
{
    for (unsigned i = 0; i < n_words; i++) {
        uint8_t high = *text ? (uint8_t)*text++ : ' ';
        uint8_t low = *text ? (uint8_t)*text++ : ' ';
        words[i] = (uint16_t)(high << 8 | low);
    }
}

void ata_finish_identify(uint16_t words[256])
{
    uint8_t sum = 0xA5;

    for (unsigned i = 0; i < 255; i++) {
        sum += (uint8_t)words[i] + (uint8_t)(words[i] >> 8);
        words[i] = GUINT16_TO_LE(words[i]);
    }
    words[255] = GUINT16_TO_LE((uint16_t)(0xA5 | (uint8_t)-sum << 8));
}

/* ACS-3 §7.45. */
bool ata_set_features(AtaDrive *drive, uint8_t feature, uint8_t count)
{
    switch (feature) {
    case 0x02: drive->write_cache = true; return true;
    case 0x82: drive->write_cache = false; return true;
    case 0xAA: drive->look_ahead = true; return true;
    case 0x55: drive->look_ahead = false; return true;
    case 0x03: /* transfer mode: PIO, multi-word DMA 0-2, ultra DMA 0-6 */
        return count <= 0x0C || (count >= 0x20 && count <= 0x22) ||
               (count >= 0x40 && count <= 0x46);
    case 0x05: /* power management, acoustics, SATA features: taken, without effect */
    case 0x85:
    case 0x10:
    case 0x90:
    case 0x42:
    case 0xC2:
    case 0x66:
    case 0xCC: return true;
    }
    return false;
}
