//! The module under test with something added, which makes it another module: it has no way to panic on
//! demand, and Envoy replaces a VM only where its code is another.

use harness::wire::leb;

/// A request with more headers than this ends the VM of a [`trapping`] module.
pub(crate) const TRAPS_ABOVE: u8 = 50;

/// The same module, byte for byte another.
pub(crate) fn copy(module: &[u8]) -> Vec<u8> {
    let mut copy = module.to_vec();
    copy.extend(section(0, b"\x04copy"));
    copy
}

/// The same module, where its way into requests traps on one with many headers, as it does on a panic.
pub(crate) fn trapping(module: &[u8]) -> Vec<u8> {
    const ENTRY: &[u8] = b"proxy_on_request_headers";
    let (magic, mut rest) = module.split_at(8);
    let mut sections = Vec::new();
    while let Some((id, after)) = rest.split_first() {
        rest = after;
        let length = number(&mut rest);
        let (content, after) = rest.split_at(length);
        sections.push((*id, content));
        rest = after;
    }
    let content = |wanted| sections.iter().find(|(id, _)| *id == wanted).unwrap().1;

    let mut imports = content(2);
    let functions_imported =
        (0..number(&mut imports)).filter(|_| is_function(&mut imports)).count();
    let mut functions = content(3);
    let count = number(&mut functions);
    let types: Vec<usize> = (0..count).map(|_| number(&mut functions)).collect();
    let added = functions_imported + count;

    let mut exports = content(7);
    let mut entry = None;
    let mut exported = leb(number(&mut exports));
    while !exports.is_empty() {
        let name = text(&mut exports);
        let (kind, after) = exports.split_first().unwrap();
        exports = after;
        let index = number(&mut exports);
        exported.extend(leb(name.len()));
        exported.extend(name);
        exported.push(*kind);
        exported.extend(leb(if name == ENTRY { added } else { index }));
        if name == ENTRY {
            entry = Some(index);
        }
    }
    let entry = entry.unwrap();

    // No locals; if the second argument, the number of headers, is greater: unreachable; else as ever.
    let mut body = vec![0, 0x20, 1, 0x41];
    body.extend(leb(usize::from(TRAPS_ABOVE)));
    body.extend([0x4b, 0x04, 0x40, 0x00, 0x0b, 0x20, 0, 0x20, 1, 0x20, 2, 0x10]);
    body.extend(leb(entry));
    body.push(0x0b);

    let mut patched = magic.to_vec();
    for (id, content) in &sections {
        let one_more = |more: &[u8]| {
            let mut list = *content;
            let count = number(&mut list);
            [leb(count + 1).as_slice(), list, more].concat()
        };
        patched.extend(match id {
            3 => section(3, &one_more(&leb(types[entry - functions_imported]))),
            7 => section(7, &exported),
            10 => section(10, &one_more(&[leb(body.len()), body.clone()].concat())),
            _ => section(*id, content),
        });
    }
    patched
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], leb(content.len()).as_slice(), content].concat()
}

/// Reads over an import; whether it is a function's.
fn is_function(imports: &mut &[u8]) -> bool {
    let (_module, _name) = (text(imports), text(imports));
    let (kind, after) = imports.split_first().unwrap();
    *imports = after;
    assert_eq!(*kind, 0, "the module imports functions alone");
    number(imports);
    true
}

fn text<'m>(bytes: &mut &'m [u8]) -> &'m [u8] {
    let length = number(bytes);
    let (text, rest) = bytes.split_at(length);
    *bytes = rest;
    text
}

/// Reads a number in LEB128.
fn number(bytes: &mut &[u8]) -> usize {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}
