# mero_embed(room file symbol): the bytes of a data file as `const unsigned char symbol[]` and `symbol_len` in a room.
function(mero_embed room file symbol)
  set(path ${CMAKE_SOURCE_DIR}/${file})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
  file(READ ${path} hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  set(source ${CMAKE_BINARY_DIR}/embedded/${symbol}.c)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT "/* Made from @file@ by cmake/MeroEmbed.cmake. */
#include <stddef.h>
extern const unsigned char @symbol@[];
extern const size_t @symbol@_len;
const unsigned char @symbol@[] = {
@bytes@};
const size_t @symbol@_len = sizeof @symbol@;
")
  target_sources(room_${room} PRIVATE ${source})
endfunction()
