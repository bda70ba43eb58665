# Images by CMake 3.20 or newer. Printed by `rootfs-builder makefile --cmake`.
#
#     include(RootfsImage.cmake)
#     rootfs_image(server ARGS -t server:1.0 -u nonroot -- --port 80)
#
# rootfs_image(TARGET [OUTPUT FILE] [TAG NAME[:TAG]] [ARGS ...]) makes the image of an executable:
# the target TARGET_image, a part of `all`, writes TARGET.tar into the build folder, and again when
# anything that decided has changed. ARGS are for `rootfs-builder pack`.

cmake_minimum_required(VERSION 3.20)
find_program(ROOTFS_BUILDER rootfs-builder REQUIRED)

function(rootfs_image target)
  cmake_parse_arguments(PARSE_ARGV 1 image "" "OUTPUT;TAG" "ARGS")
  if(DEFINED image_UNPARSED_ARGUMENTS OR DEFINED image_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "rootfs_image(TARGET [OUTPUT FILE] [TAG NAME[:TAG]] [ARGS ...])")
  endif()
  if(NOT DEFINED image_OUTPUT)
    set(image_OUTPUT "${target}.tar")
  endif()
  cmake_path(ABSOLUTE_PATH image_OUTPUT BASE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
  if(DEFINED image_TAG)
    list(PREPEND image_ARGS -t "${image_TAG}")
  endif()
  set(depfile "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${target}_image.d")
  # Before 3.23 CMake forgets what a depfile names twice; before 4.0 its makefiles keep for ever what
  # one once named; before 4.4 it hands a $ on to ninja as it is, and ninja wants $$.
  set(then "")
  set(edits "")
  if(CMAKE_VERSION VERSION_LESS 3.23)
    list(APPEND edits -e "/^$/q")
  endif()
  if(CMAKE_GENERATOR MATCHES "Ninja" AND CMAKE_VERSION VERSION_LESS 4.4
     AND "${CMAKE_SOURCE_DIR}${CMAKE_BINARY_DIR}" MATCHES "[$]")
    list(APPEND edits -e "s/[$][$]/&&/g")
  endif()
  if(edits)
    list(APPEND then COMMAND sed -i ${edits} "${depfile}")
  endif()
  if(CMAKE_GENERATOR MATCHES "Makefiles" AND CMAKE_VERSION VERSION_LESS 4.0)
    set(folder "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${target}_image.dir")
    list(APPEND then COMMAND "${CMAKE_COMMAND}" -E rm -f "${folder}/compiler_depend.internal")
  endif()
  add_custom_command(
    OUTPUT "${image_OUTPUT}"
    COMMAND "${ROOTFS_BUILDER}" pack "$<TARGET_FILE:${target}>" -o "${image_OUTPUT}"
            --depfile "${depfile}" ${image_ARGS}
    ${then}
    DEPENDS "${target}"
    DEPFILE "${depfile}"
    COMMENT "Image of ${target}"
    VERBATIM)
  add_custom_target("${target}_image" ALL DEPENDS "${image_OUTPUT}")
endfunction()
