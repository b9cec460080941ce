# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The app on a Wayland compositor without a screen: the guest's pixels are the window's, at scale 1 and 2."""
import glob
import os
import shutil
import sys
import time

from desktop import MachineTest, Picture, Programs, main, skip, wait_for


class Wayland(MachineTest):
    name = "demo"

    def start_compositor(self, scale):
        self.desktop.env["WAYLAND_DISPLAY"] = "wayland-%d" % scale
        # Its size is in pixels of the scaled output.
        compositor = self.desktop.spawn(["weston", "--backend=headless-backend.so", "--use-pixman", "--idle-time=0",
                                         "--debug", "--width=%d" % (1300 * scale), "--height=%d" % (900 * scale),
                                         "--scale=%d" % scale, "--socket=wayland-%d" % scale])
        wait_for("the compositor", lambda: os.path.exists("%s/wayland-%d" % (self.desktop.env["XDG_RUNTIME_DIR"], scale)))
        time.sleep(1)
        return compositor

    def screen(self):
        for old in glob.glob(self.desktop.folder + "/wayland-screenshot*.png"):
            os.unlink(old)
        shooter = self.desktop.spawn(["weston-screenshooter"], cwd=self.desktop.folder)
        shooter.wait(20)
        self.desktop.processes.remove(shooter)
        name = glob.glob(self.desktop.folder + "/wayland-screenshot*.png")
        return Picture(["convert", name[0], "-depth", "8", "ppm:-"]) if name else None

    def shows_the_guest(self, zoom):
        def same():
            self.ctl("screenshot", self.name, self.desktop.folder + "/guest.png")
            guest = Picture(["convert", self.desktop.folder + "/guest.png", "-depth", "8", "ppm:-"])
            picture = self.screen()
            return picture and picture.shows(guest, zoom)
        wait_for("the guest's pixels on the compositor's screen", same, 20)

    def test_pixels_at_both_scales(self):
        self.ctl("create", Programs.demo, "--name", self.name, "--memory", "256M")
        self.ctl("start", self.name, "--headless")
        self.ctl("wait", self.name, "--for", "text:demo:.*# $", "--timeout", "60")
        bundle = self.machines()[0]["bundle"]
        self.desktop.env["GDK_BACKEND"] = "wayland"
        for scale in (1, 2):
            compositor = self.start_compositor(scale)
            app = self.desktop.spawn([VITRINE, bundle])
            self.shows_the_guest(scale)
            self.step("scale %d" % scale)
            self.desktop.end(app)
            self.desktop.end(compositor)
        self.assertNotIn("CRITICAL", self.desktop.log_of("vitrine"))


if __name__ == "__main__":
    if not shutil.which("weston"):
        skip("weston is not installed")
    VITRINE, vitrinectl, make_media = sys.argv[1:4]
    del sys.argv[1:4]
    main(vitrinectl, make_media)
