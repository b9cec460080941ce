/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "base/place.h"
#include "ui/application.h"

int main(int argc, char **argv)
{
    place_init_language();
    g_autoptr(VitrineApplication) app = vitrine_application_new();
    return g_application_run(G_APPLICATION(app), argc, argv);
}
