# SPDX-License-Identifier: MIT
# mp-top, which reads the arenas of others and is no member of a family: of libmp it takes the layout, and from the port the
# clock and what only it needs.
add_executable(mp-top
  src/tools/describe.c
  src/tools/family.c
  src/tools/json.c
  src/tools/out.c
  src/tools/peek.c
  src/tools/pools.c
  src/tools/relate.c
  src/tools/screen.c
  src/tools/session.c
  src/tools/text.c
  src/tools/top.c
  src/os/${MP_PORT}/clock.c
  src/os/${MP_PORT}/error.c
  src/os/${MP_PORT}/look.c
  src/os/${MP_PORT}/terminal.c)
mp_flags(mp-top)
target_include_directories(mp-top PRIVATE include src)
target_compile_definitions(mp-top PRIVATE ${MP_PRIVATE_DEFINITIONS} MP_STATIC)
target_compile_features(mp-top PRIVATE c_std_11)
target_link_libraries(mp-top PRIVATE ${MP_SYSTEM_LIBRARIES})
set_target_properties(mp-top PROPERTIES C_EXTENSIONS OFF)
if(MINGW)
  target_link_options(mp-top PRIVATE -static-libgcc)
endif()
