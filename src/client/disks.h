/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Disks and disc drives of a machine that exists already. What changes counts from its next start.
 * The functions block; included by front ends. */

#include "client/client.h"

typedef struct {
    const char *format;      /* "qcow2", "raw" */
    uint64_t size_bytes;     /* what the guest sees */
    uint64_t occupied_bytes; /* what the file takes on this computer */
} ClientDiskImage;

/* False when there is no such file or it cannot be read. Works while a machine uses it. */
bool client_look_at_disk(const char *path, ClientDiskImage *out_image);
/* A new empty qcow2 image. The file must not exist. */
bool client_create_disk(const char *path, uint64_t size_bytes, GError **error);
/* Each adds a drive to the definition and returns its number; -1 and @error when there is no room
 * or the image cannot be used. A new disk is a file in the bundle. */
int client_add_new_disk(const char *bundle, uint64_t size_bytes, GError **error);
int client_add_disk_image(const char *bundle, const char *path, GError **error);
int client_add_disc_drive(const char *bundle, GError **error);
/* Puts a disc into drive @number of a machine that is off, or takes it out: @path empty. */
bool client_set_disc(const char *bundle, unsigned number, const char *path, GError **error);
/* Takes drive @number out of the definition. @trash_file: and moves its image, if that is in the
 * bundle, to the Trash; APP_ERROR_WRONG_STATE while the machine runs. */
bool client_remove_drive(const char *bundle, unsigned number, bool trash_file, GError **error);
