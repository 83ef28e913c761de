local crypto = require "crypto"

local function hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

describe("crypto", function()
  -- FIPS 180-4 examples
  it("digests as hex", function()
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", crypto.sha256("abc"))
    assert.equal("a9993e364706816aba3e25717850c26c9cd0d89d", crypto.sha1("abc"))
    assert.equal("da39a3ee5e6b4b0d3255bfef95601890afd80709", crypto.sha1(""))
    assert.are_not.equal(crypto.sha256("a\0b"), crypto.sha256("a\0c"))
  end)

  -- RFC 4231, test case 2
  it("signs as raw bytes", function()
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      hex(crypto.hmac_sha256("Jefe", "what do ya want for nothing?")))
  end)

  -- RFC 4648 section 10
  it("writes and reads base64", function()
    local pairs_of = {[""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", ["\0\255"] = "AP8="}
    for plain, coded in pairs(pairs_of) do
      assert.equal(coded, crypto.base64(plain))
      assert.equal(plain, crypto.base64_decode(coded))
    end
    local long = ("\0\1\2\250"):rep(10000)
    assert.equal(long, crypto.base64_decode(crypto.base64(long)))
  end)

  it("refuses what is not base64", function()
    for _, text in ipairs {"Zg", "Zg=", "Zg==Zg==", "=AAA", "====", " Zm9", "Zm9v\n", "Zm9\n", "Zm9!", "Zm9\0"} do
      local got, err = crypto.base64_decode(text)
      assert.is_nil(got, text)
      assert.equal("not base64", err)
    end
  end)

  it("makes version 4 UUIDs, each once", function()
    local one, two = crypto.uuid(), crypto.uuid()
    assert.matches("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$", one)
    assert.are_not.equal(one, two)
  end)
end)
