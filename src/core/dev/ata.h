/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Drives behind an ATA interface: hard disks (ACS-3, ata.c) and CD/DVD drives (MMC-6, atapi.c). A
 * controller fills an AtaCommand from the guest's registers or FIS and hands it to ata_start(); the
 * drive moves data and calls back when it is done. Board lock held in every call here, except where
 * said. Included by ahci*.c and the drives.
 *
 * Reset. Disk workers read and write guest memory while a command runs. ata_abort() therefore waits
 * until they let go of it; what arrives later finds an orphan, which touches nothing. */

#include "core/block/disk.h"
#include "core/clock/clock.h"
#include "core/dev/device.h"

typedef struct AtaDrive AtaDrive;
typedef struct AtaCommand AtaCommand;

enum { /* status */
       ATA_ERR = 0x01,
       ATA_DRQ = 0x08,
       ATA_DSC = 0x10,
       ATA_DF = 0x20,
       ATA_DRDY = 0x40,
       ATA_BSY = 0x80,
};
enum { /* error */
       ATA_ERROR_ABORT = 0x04,
       ATA_ERROR_ID_NOT_FOUND = 0x10,
       ATA_ERROR_UNCORRECTABLE = 0x40,
};
enum {
    ATA_CMD_PACKET = 0xA0,
    ATA_CMD_READ_FPDMA = 0x60,
    ATA_CMD_WRITE_FPDMA = 0x61,
};

#define ATA_SECTOR 512
#define ATAPI_SECTOR 2048
#define ATA_SIGNATURE_DISK 0x00000101u
#define ATA_SIGNATURE_PACKET 0xEB140101u

/* How the data of a command travels, for the controller's FISes. */
typedef enum { ATA_NO_DATA, ATA_PIO_IN, ATA_PIO_OUT, ATA_DMA_IN, ATA_DMA_OUT } AtaProtocol;

/* The controller's side. */
typedef struct {
    /* Makes up to @length bytes of the guest's buffer reachable as command->iov, to be written when
     * @to_memory, else to be read. *@out_mapped may be less when the guest's list is shorter. False
     * when the guest's list or memory cannot be read. */
    bool (*map)(AtaCommand *command, uint64_t length, bool to_memory, uint64_t *out_mapped);
    /* The drive is done: command->status, error, result_* are set. */
    void (*complete)(AtaCommand *command);
    void (*release)(AtaCommand *command); /* gives up what map() and the controller allocated */
} AtaHost;

struct AtaCommand {
    /* Set by the controller. */
    AtaDrive *drive;
    const AtaHost *host;
    uint8_t command, device;
    uint16_t feature, count;
    uint64_t lba; /* 48 bits as in the FIS, whatever the command makes of them */
    uint8_t packet[16];
    unsigned tag;

    /* Set by the drive. */
    uint8_t status, error;
    uint16_t result_count;
    uint64_t result_lba;
    AtaProtocol protocol;
    bool is_queued;
    uint64_t transferred;

    /* Set by AtaHost.map. */
    GArray *iov; /* owned: struct iovec */

    /* The drive's own. */
    Disk *disk; /* borrowed: where the request is */
    DiskRequest request;
    struct iovec scratch_iov;
    uint8_t *scratch; /* owned: data that is not the guest's own buffer */
    uint64_t offset, length;
    unsigned step;
    void (*next)(AtaCommand *command, int result); /* after the disk */
    bool is_in_flight, is_orphan;                  /* board lock */
    bool io_done;                                  /* AtaDrive.io_lock */
    bool is_late;  /* the same, but the disk is full: it comes when it comes */
    int io_result; /* with a deterministic clock: told when @io_timer fires */
    ClockTimer io_timer;
};

typedef struct {
    void (*start)(AtaDrive *drive, AtaCommand *command);
    void (*reset)(AtaDrive *drive);
} AtaDriveOps;

struct AtaDrive {
    const AtaDriveOps *ops;
    Device *dev;  /* borrowed: whose lock counts */
    Disk *disk;   /* borrowed; NULL: no medium */
    Clock *clock; /* borrowed; not NULL: I/O takes this deterministic clock's time */
    char serial[21];
    bool is_packet;
    GMutex io_lock; /* leaf: guards AtaCommand.io_done */
    GCond io_cond;
    unsigned n_in_flight; /* board lock */

    /* Guest state, disk. */
    uint8_t multiple;
    bool write_cache, look_ahead, smart, standby;
    uint8_t ncq_error_tag, ncq_error, ncq_error_status; /* log 10h; tag 0x80: nothing to tell */
    uint64_t ncq_error_lba;
    /* Guest state, CD. */
    uint8_t sense_key, asc, ascq;
    bool unit_attention, tray_open, locked;
    uint8_t unit_attention_asc;
    uint8_t media_event; /* MMC-6 §6.6, table "media events" */
    /* Wiring, CD: the guest has opened or closed the tray. NULL: nobody asks. */
    void (*on_tray)(void *opaque);
    void *on_tray_opaque;
};

extern const StateField ata_drive_state[];
extern const AtaDriveOps ata_disk_ops, atapi_ops;

void ata_drive_init(AtaDrive *drive, const AtaDriveOps *ops, Device *dev, Disk *disk,
                    const char *serial);
void ata_drive_clear(AtaDrive *drive);
void ata_drive_reset(AtaDrive *drive);
uint32_t ata_drive_signature(const AtaDrive *drive);
/* Other disc, or none; wakes the guest's interest. */
void atapi_set_disk(AtaDrive *drive, Disk *disk);

void ata_start(AtaCommand *command);
/* Gives @command up, which is freed now or when its I/O returns. */
void ata_abort(AtaCommand *command);

/* For the drives. Ends @command well, or with bits of the error register. */
void ata_succeed(AtaCommand *command);
void ata_fail(AtaCommand *command, uint8_t error);
/* Sends @bytes to the guest as the command's data and ends it. */
void ata_reply(AtaCommand *command, AtaProtocol protocol, const void *bytes, size_t length);
/* Starts disk I/O between the guest's buffer and [@offset, @offset + @length) of the medium; @next
 * is called with 0 or -errno. */
void ata_transfer(AtaCommand *command, bool to_memory, uint64_t offset, uint64_t length,
                  void (*next)(AtaCommand *command, int result));
/* The same for operations without guest data, or with command->scratch. */
void ata_submit(AtaCommand *command, DiskOperation operation, uint64_t offset, uint64_t length,
                struct iovec *iov, unsigned n_iov, void (*next)(AtaCommand *command, int result));

/* IDENTIFY strings: big-endian in words, padded with blanks. */
void ata_put_string(uint16_t *words, const char *text, unsigned n_words);
/* SET FEATURES, common to both. False: unknown. */
bool ata_set_features(AtaDrive *drive, uint8_t feature, uint8_t count);
/* Words as bytes with the checksum of ACS-3 §7.12.7.89 in word 255. */
void ata_finish_identify(uint16_t words[256]);
