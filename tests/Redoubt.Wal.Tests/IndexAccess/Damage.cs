namespace Redoubt.Wal.Tests.IndexAccess;

/// <summary>Changes a few bytes of a change and of the page it is for, where it hurts: counts, offsets, lengths, line pointers.</summary>
internal static class Damage
{
    public static BlockChange Apply(Random random, BlockChange change, byte[] page)
    {
        byte[] main = change.MainData.ToArray();
        byte[] data = change.BlockData.ToArray();
        byte[] references = change.References.ToArray();
        byte info = change.Info;
        byte block = change.BlockId;
        for (int hits = random.Next(1, 6); hits > 0; hits--)
        {
            switch (random.Next(12))
            {
                case 0:
                    page[random.Next(8, 24)] = Byte(random);
                    break;
                case 1:
                    page[random.Next(24, 424)] = Byte(random);
                    break;
                case 2:
                    page[random.Next(page.Length - 24, page.Length)] = Byte(random);
                    break;
                case 3:
                    page[random.Next(24, page.Length)] = Byte(random);
                    break;
                case 4 or 5:
                    Hit(random, main);
                    break;
                case 6 or 7:
                    Hit(random, data);
                    break;
                case 8:
                    main = main[..random.Next(main.Length + 1)];
                    break;
                case 9:
                    data = data[..random.Next(data.Length + 1)];
                    break;
                case 10:
                    references = [];
                    break;
                default:
                    Rare(random, page, ref info, ref block);
                    break;
            }
        }

        return new BlockChange
        {
            Key = change.Key,
            Lsn = change.Lsn,
            Xid = change.Xid,
            Rmgr = change.Rmgr,
            Info = info,
            BlockId = block,
            MainData = main,
            BlockData = data,
            References = references,
        };
    }

    private static void Rare(Random random, byte[] page, ref byte info, ref byte block)
    {
        switch (random.Next(4))
        {
            case 0:
                Array.Clear(page);
                break;
            case 1:
                random.NextBytes(page);
                break;
            case 2:
                info = (byte)(random.Next(16) << 4);
                break;
            default:
                block = (byte)random.Next(8);
                break;
        }
    }

    private static void Hit(Random random, byte[] bytes)
    {
        if (bytes.Length > 0)
        {
            bytes[random.Next(Math.Min(bytes.Length, random.Next(1, 60)))] = Byte(random);
        }
    }

    private static byte Byte(Random random) => random.Next(3) switch
    {
        0 => 0,
        1 => 255,
        _ => (byte)random.Next(256),
    };
}
