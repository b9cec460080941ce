/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A disc made of files: what somebody drops on a running machine reaches the guest as a CD, which
 * every guest can read without tools of ours. Included by the app and vitrinectl. */

#include "client/client.h"

/* Makes @output_iso, an ISO 9660 volume with Rock Ridge and Joliet, whose root holds each of @paths
 * (of char *: files and folders, in any mixture and number) under its own name. The file is there
 * whole or not at all: an older one is replaced in the end, and stays when this fails.
 *
 * - Names stay as they are (UTF-8, up to 255 bytes). What is not UTF-8 gets U+FFFD for the bytes
 *   that are not; of two that would be one, the second is called “NAME (2).EXT”.
 * - A link among @paths stands for what it points to. Links inside folders stay links, whatever
 * they point to, so nothing comes along that was not given. Sockets, pipes and devices are left
 * out.
 * - Files of more than 4 GiB are kept whole (ISO 9660 level 3: several extents).
 * - Dates and the executable bit are kept; all can be read by everybody and nothing is writable.
 *
 * Blocks: call it from a GTask's thread; any number at once, which take turns. @progress and
 * @cancellable may be NULL.
 *
 * On failure returns FALSE, sets @error and leaves nothing behind: G_IO_ERROR_CANCELLED,
 * G_IO_ERROR_NO_SPACE (asked before a byte is written), APP_ERROR_INVALID when @paths is empty or
 * holds what cannot be on a disc, else G_IO_ERROR with the name of the file that cannot be read or
 * that changed while it was read. A machine's own place for it is bundle_dup_file_disc(). */
gboolean client_file_disc_create(GPtrArray *paths, const char *output_iso, ClientProgress progress,
                                 gpointer data, GCancellable *cancellable, GError **error);
