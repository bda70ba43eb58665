# Images by GNU make: PROGRAM.tar is the image of PROGRAM. Printed by `rootfs-builder makefile`.
#
#     include rootfs.mk
#     server.tar: ROOTFS_FLAGS = -t server:1.0 -u nonroot -- --port 80
#
# Beside each image is PROGRAM.tar.mk, which says what it was made of; those of this folder and of
# the folders in it are read. For deeper ones: -include build/images/*.tar.mk

ROOTFS_BUILDER ?= rootfs-builder

%.tar: %
	$(ROOTFS_BUILDER) pack '$<' -o '$@' --depfile '$@.mk' $(ROOTFS_FLAGS)

rootfs-builder-goal := $(.DEFAULT_GOAL)
-include *.tar.mk */*.tar.mk
.DEFAULT_GOAL := $(rootfs-builder-goal)
